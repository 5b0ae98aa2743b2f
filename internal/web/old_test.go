package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/web"
	"github.com/signpost-acme/signpost/internal/zone"
)

// wellWorld is a cluster, a store and a DNS in which all is well, until the store
// does not answer any more.
type wellWorld struct{ hangs atomic.Bool }

func (*wellWorld) Certificates() []cluster.Certificate {
	return []cluster.Certificate{{Namespace: "shop", Name: "c", Scope: "cert-manager", DNSNames: []string{"example.com"}, Ready: true}}
}
func (*wellWorld) Challenges() []cluster.Challenge                              { return nil }
func (*wellWorld) Changes() uint64                                              { return 0 }
func (*wellWorld) Holder(cluster.Challenge) string                              { return "" }
func (*wellWorld) FollowsCertificates() bool                                    { return true }
func (*wellWorld) OtherGroups() []cluster.OtherGroup                            { return nil }
func (*wellWorld) Requests() []cluster.Request                                  { return nil }
func (*wellWorld) Unnamed() []cluster.IssuerRef                                 { return nil }
func (*wellWorld) GateConfiguration(context.Context, string) (none string)      { return }
func (*wellWorld) Asked(context.Context, uuid.UUID) (map[string]uint64, error)  { return nil, nil }
func (*wellWorld) PutFound(context.Context, uuid.UUID, uuid.UUID, []byte) error { return nil }
func (*wellWorld) Found(context.Context, uuid.UUID, time.Time) (none store.Found, err error) {
	return
}
func (*wellWorld) Len() int     { return 1 }
func (*wellWorld) Synced() bool { return true }
func (*wellWorld) ServiceAddresses(context.Context, string, string) ([]netip.Addr, []string, error) {
	return nil, nil, errors.New("none")
}

func (w *wellWorld) Replicas(ctx context.Context) ([]string, error) {
	if w.hangs.Load() {
		<-ctx.Done()
	}
	return []string{"192.0.2.1:53"}, nil
}

func (*wellWorld) Delegation(context.Context) []check.Finding {
	return []check.Finding{{Status: check.OK}}
}

func (*wellWorld) Domain(context.Context, string, string, check.CA) []check.Finding {
	return []check.Finding{{Status: check.OK}}
}

// TestOld: when looks stop, because the store hangs, the page that a real Collector
// feeds says how old it is, and goes on to show what was known.
func TestOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		w := &wellWorld{}
		collector := status.New(status.Config{Zone: z, Nameservers: []zone.Nameserver{{Name: "ns.example.com"}}, Namespace: "cert-manager",
			Address: "192.0.2.1:53", Redis: true, Mine: func(string) bool { return true }, Cluster: w, Store: w, Copy: w, Checker: w, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { collector.Run(ctx); close(done) }()
		defer func() { cancel(); <-done }()
		handler := web.Handler(web.Config{Ready: func() error { return nil }, Snapshot: collector.Snapshot, Zone: z})
		get := func(path string) string {
			r := httptest.NewRecorder()
			handler.ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
			return r.Body.String()
		}
		says := func(state, headline string) {
			t.Helper()
			var d document
			if err := json.Unmarshal([]byte(get("/status.json")), &d); err != nil || d.State != state || d.Headline != headline || len(d.Domains) != 1 {
				t.Errorf("%+v, %v; want %s, %q", d, err, state, headline)
			}
			for _, path := range []string{"/", "/?fragment"} {
				if body := get(path); !strings.Contains(body, headline) || !strings.Contains(body, "example.com") {
					t.Errorf("%s does not say %q", path, headline)
				}
			}
		}
		time.Sleep(10 * time.Minute)
		says("ok", "Everything works")
		w.hangs.Store(true)
		time.Sleep(50 * time.Second)
		says("ok", "Everything works")
		time.Sleep(9*time.Minute + 12*time.Second)
		says("unknown", "What is known is 10 minutes old")
	})
}

func (*wellWorld) Changed(context.Context, zone.Target) bool { return true }
