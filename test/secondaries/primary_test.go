package secondaries

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/signpost-acme/signpost/dnsserve"
	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

const origin = "acme.example.com"

// primary is a replica: the store on real Redis, and the DNS server.
type primary struct {
	*store.Redis
	journal *store.Journal
	server  *dnsserve.Server
	stop    func()
}

// keys are what replicas read from their files; a test changes them.
type keys struct{ text atomic.Pointer[string] }

func newKeys(secrets ...string) *keys {
	k := &keys{}
	k.set(secrets...)
	return k
}

// set makes these the secrets of the key "transfer".
func (k *keys) set(secrets ...string) {
	text := ""
	for _, s := range secrets {
		text += fmt.Sprintf("key \"transfer\" { algorithm hmac-sha256; secret %q; };\n", s)
	}
	k.text.Store(&text)
}

// startPrimary starts a replica at a port, that tells the secondaries of changes.
func startPrimary(t *testing.T, redis *redistest.Server, port int, k *keys, secondaries ...string) *primary {
	t.Helper()
	return startPrimaryWith(t, redis, port, k, nil, secondaries...)
}

// startPrimaryWith is startPrimary with settings for TLS, if not nil, at a port of its own.
func startPrimaryWith(t *testing.T, redis *redistest.Server, port int, k *keys, secure *tls.Config, secondaries ...string) *primary {
	t.Helper()
	z, err := zone.New(origin)
	if err != nil {
		t.Fatal(err)
	}
	list, err := z.Secondaries(secondaries)
	if err != nil {
		t.Fatal(err)
	}
	nameservers, err := z.WithSecondaries(nil, list)
	if err != nil {
		t.Fatal(err)
	}
	p := &primary{journal: &store.Journal{}}
	if p.Redis, err = store.NewRedis(origin, store.RedisOptions{URL: redis.URL()}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	p.KeepVersions(p.journal)
	c := &store.Copy{Prepare: dnsserve.Prepare}
	p.server, err = dnsserve.Listen(dnsserve.Config{
		Zone: z, Nameservers: nameservers, Records: c, Listen: []string{fmt.Sprintf("127.0.0.1:%d", port)},
		Transfers: &dnsserve.Transfers{Versions: p.journal, Secondaries: list, Keys: func() []dnsserve.Key {
			parsed, err := dnsserve.ParseKeys(*k.text.Load())
			if err != nil {
				t.Error(err)
			}
			return parsed
		}, TLS: secure, ListenTLS: []string{"127.0.0.1:0"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.Follow(ctx, c) })
	wg.Go(func() {
		if err := p.server.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	p.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); p.Close() })
	t.Cleanup(p.stop)
	eventually(t, 30*time.Second, "the primary shows a version", func() bool { _, ok := p.journal.Serial(); return ok })
	return p
}

// transfers returns how many there were with that result.
func (p *primary) transfers(t *testing.T, result string) int {
	t.Helper()
	ch := make(chan prometheus.Metric, 1000)
	p.server.Collect(ch)
	close(ch)
	for m := range ch {
		var d dto.Metric
		if err := m.Write(&d); err != nil {
			t.Fatal(err)
		}
		for _, l := range d.GetLabel() {
			if l.GetName() == "result" && l.GetValue() == result && len(d.GetLabel()) == 1 {
				return int(d.GetCounter().GetValue())
			}
		}
	}
	return 0
}

func eventually(t *testing.T, within time.Duration, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
