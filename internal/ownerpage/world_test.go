package ownerpage

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/invite"
	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	testScope  = "customer-namespace"
	testDomain = "shop.example.com"
)

// world is what the page is told, and what was asked of it.
type world struct {
	t     *testing.T
	page  *Page
	zone  *zone.Zone
	keys  invite.Keys
	first string // path of the link

	mu      sync.Mutex
	sight   check.Sight
	certs   Certificates
	looks   int
	running int
	most    int           // looks at a time
	slow    chan struct{} // looks wait for it; nil if they do not
	changed bool
}

func (w *world) See(ctx context.Context, _, _ string) check.Sight {
	w.mu.Lock()
	w.looks++
	w.running++
	w.most = max(w.most, w.running)
	slow := w.slow
	w.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	return w.sight
}

func (w *world) Changed(context.Context, zone.Target) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

func (w *world) certificates(scope, domain string) Certificates {
	w.mu.Lock()
	defer w.mu.Unlock()
	if scope != testScope || domain != testDomain {
		return Certificates{}
	}
	return w.certs
}

func newWorld(t *testing.T) *world {
	t.Helper()
	z, err := zone.New("acme.example.org")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, zone: z, keys: invite.Keys{"k1": []byte(strings.Repeat("k", 32))}, changed: true}
	u, err := url.Parse("https://certs.example.net/records")
	if err != nil {
		t.Fatal(err)
	}
	w.page, err = New(t.Context(), Config{
		Zone: z, URL: u, Keys: func() invite.Keys { return w.keys }, Looker: w, Certificates: w.certificates, Texts: Known(),
		Company: "Example Hosting Ltd", Contact: "dns@example.net", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.first = w.link(testScope, testDomain, time.Now().Add(time.Hour))
	return w
}

func (w *world) link(scope, domain string, expires time.Time) string {
	w.t.Helper()
	path, err := w.keys.Sign(w.zone, invite.Link{Scope: scope, Domain: domain, Expires: expires})
	if err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	out := httptest.NewRecorder()
	w.page.ServeHTTP(out, r)
	return out
}

// sees sets what looks find, and returns the page once it says so.
func (w *world) sees(s check.Sight, c Certificates, query string) string {
	w.t.Helper()
	w.mu.Lock()
	w.sight, w.certs = s, c
	n := w.looks + w.running // one that runs may have begun before
	w.mu.Unlock()
	w.again(n)
	return w.get(w.first + query).Body.String()
}

// again has a look made that begins now, and waits until it is done.
func (w *world) again(before int) {
	w.t.Helper()
	poll.Until(w.t, 5*time.Second, "the look is done", func() error {
		w.page.looks.mu.Lock()
		s := w.page.looks.domains[testScope+"/"+testDomain]
		idle := s == nil || !s.running
		w.mu.Lock()
		done := w.looks > before
		w.mu.Unlock()
		if idle && !done && s != nil {
			s.next = time.Time{}
		}
		w.page.looks.mu.Unlock()
		if idle && done {
			return nil
		}
		w.get(w.first)
		return context.DeadlineExceeded
	})
}

func found(id string, status check.Status, seen string) check.Sight {
	return check.Sight{Finding: check.Finding{Check: id, Status: status, Seen: seen}, Apex: "example.com",
		Nameservers: []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"}}
}

func has(t *testing.T, what, page string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(page, w) {
			t.Errorf("%s: no %q in\n%s", what, w, page)
		}
	}
}
