package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/web"
	"github.com/signpost-acme/signpost/internal/zone"
)

// fleet is a snapshot with n domains: of every hundred, five have no record, one has
// an expired certificate, and one was not looked up yet. Namespaces are those of 40
// customers.
func fleet(tb testing.TB, n int) status.Snapshot {
	tb.Helper()
	z, err := zone.New("acme.example.com")
	if err != nil {
		tb.Fatal(err)
	}
	s := good()
	s.Domains = nil
	for i := range n {
		name := fmt.Sprintf("shop-%05d.example.net", i)
		target, err := z.Target("cert-manager", name)
		if err != nil {
			tb.Fatal(err)
		}
		expiry := s.At.Add(time.Duration(i%89)*24*time.Hour + 12*time.Hour)
		renewal := expiry.Add(30 * 24 * time.Hour) // not overdue
		d := status.Domain{
			Name: name, Scope: "cert-manager", Record: target.Record(),
			Checks: []check.Finding{{Check: "cname", Subject: target.Challenge, Status: check.OK, Seen: target.Name}},
			Certificates: []status.Certificate{{
				Namespace: fmt.Sprintf("customer-%02d", i%40), Name: fmt.Sprintf("shop-%05d", i), Secret: fmt.Sprintf("shop-%05d-tls", i), DNSNames: []string{"*." + name, name},
				Issuer: "ClusterIssuer/letsencrypt", Ready: true, NotAfter: &expiry, RenewalTime: &renewal,
			}},
		}
		switch {
		case i%20 == 3:
			d.Checks = []check.Finding{{Check: "cname-missing", Subject: target.Challenge, Status: check.Failed, Wanted: "CNAME " + target.Name, Seen: "nothing", Hint: "Add the record " + target.Challenge + " CNAME " + target.Name + "."}}
			d.Certificates[0].Ready, d.Certificates[0].NotAfter, d.Certificates[0].RenewalTime = false, nil, nil
		case i%100 == 7:
			past := s.At.Add(-time.Hour)
			d.Certificates[0].NotAfter = &past
		case i%100 == 9:
			d.Checks = nil
		}
		s.Domains = append(s.Domains, d)
	}
	return s
}

// handlerOf serves the page over one snapshot, as a Collector that stands still.
func handlerOf(tb testing.TB, s status.Snapshot) http.Handler {
	tb.Helper()
	z, err := zone.New("acme.example.com")
	if err != nil {
		tb.Fatal(err)
	}
	return web.Handler(web.Config{Ready: func() error { return nil }, Snapshot: func() status.Snapshot { return s }, Zone: z})
}

func get(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The sizes that the page keeps to with ten thousand domains.
const (
	maxPage = 100 << 10
	maxLive = 20 << 10
)

// TestSizes: with ten thousand domains the page is small, whatever is on the screen, and
// so is a live update even if everything has changed but the search form.
func TestSizes(t *testing.T) {
	h := handlerOf(t, fleet(t, 10000))
	for _, path := range []string{"/", "/?sort=name", "/?state=failed", "/?page=250", "/?q=shop-0", "/?expires=30d&sort=expiry", "/domain/cert-manager/shop-00003.example.net"} {
		w := get(h, path)
		if w.Code != http.StatusOK || w.Body.Len() > maxPage {
			t.Errorf("%s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
		fragment := path + "?fragment"
		if strings.Contains(path, "?") {
			fragment = path + "&fragment"
		}
		form := regexp.MustCompile(`id="(p-search)" data-v="([^"]+)"`).FindStringSubmatch(get(h, fragment).Body.String())
		var have []string
		if form != nil {
			have = []string{"Signpost-Have", form[1] + "=" + form[2]}
		}
		if w := get(h, fragment, have...); w.Code != http.StatusOK || w.Body.Len() > maxLive {
			t.Errorf("%s: %d, %d bytes", fragment, w.Code, w.Body.Len())
		}
	}
}

func BenchmarkPage(b *testing.B)     { benchmark(b, "/") }
func BenchmarkSearch(b *testing.B)   { benchmark(b, "/?q=shop-09999&state=ok") }
func BenchmarkFragment(b *testing.B) { benchmark(b, "/?fragment") }
func BenchmarkDomain(b *testing.B)   { benchmark(b, "/domain/cert-manager/shop-09999.example.net") }
func BenchmarkJSON(b *testing.B)     { benchmark(b, "/status.json") }
func BenchmarkCSV(b *testing.B)      { benchmark(b, "/status.csv") }

func benchmark(b *testing.B, path string) {
	h := handlerOf(b, fleet(b, 10000))
	size := get(h, path).Body.Len() // makes the index too
	b.ReportAllocs()
	for b.Loop() {
		get(h, path)
	}
	b.ReportMetric(float64(size), "bytes/answer")
}

// BenchmarkIndex is what a new snapshot costs before its first page.
func BenchmarkIndex(b *testing.B) {
	s := fleet(b, 10000)
	b.ReportAllocs()
	for b.Loop() {
		web.NewIndex(s, s.At).Select(web.Filter{})
	}
}
