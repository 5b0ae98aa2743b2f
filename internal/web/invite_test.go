package web_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/internal/web"
)

// Where there is an owner's page, each domain has the link to send.
func TestLinkForTheOwner(t *testing.T) {
	for _, link := range []func(scope, domain string) string{
		nil, func(string, string) string { return "" },
		func(scope, domain string) string {
			return "https://certs.example.net/v1/k/1/" + scope + "/" + domain + "/<sig>"
		},
	} {
		server := httptest.NewServer(web.Handler(web.Config{Ready: func() error { return errors.New("starting") }, Snapshot: good, Link: link}))
		t.Cleanup(server.Close)
		for _, path := range []string{"/", "/?fragment", "/domain/cert-manager/example.com"} {
			_, page := request(t, "GET", server.URL+path)
			want := link != nil && link("x", "y") != ""
			if strings.Contains(page, "<code>https://certs.example.net/v1/k/1/cert-manager/example.com/&lt;sig&gt;</code>") != want || strings.Contains(page, "A link to send") != want {
				t.Errorf("%s: a link: %v, want %v\n%s", path, !want, want, page)
			}
		}
	}
}
