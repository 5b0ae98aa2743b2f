package status

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

func TestAuthorities(t *testing.T) {
	asked := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/dir":
			fmt.Fprint(w, `{"newOrder":"https://ca.example/order","meta":{"caaIdentities":["ca.example"]}}`)
		case "/elsewhere":
			http.Redirect(w, r, "/dir", http.StatusFound)
		}
	}))
	defer server.Close()
	before := http.DefaultTransport
	http.DefaultTransport = server.Client().Transport
	defer func() { http.DefaultTransport = before }()
	var a authorities
	for range 2 { // the second time it is known
		if got := a.identities(t.Context(), server.URL+"/dir"); !slices.Equal(got, []string{"ca.example"}) {
			t.Errorf("identities = %q", got)
		}
	}
	if asked != 1 {
		t.Errorf("the CA was asked %d times", asked)
	}
	for _, directory := range []string{"", "http://ca.example/dir", server.URL + "/elsewhere", server.URL + "/none"} {
		if got := a.identities(t.Context(), directory); got != nil {
			t.Errorf("%s: identities = %q", directory, got)
		}
	}
}
