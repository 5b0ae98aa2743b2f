package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

func many(n int, name string) (list []cluster.Certificate) {
	for i := range n {
		list = append(list, certificate("web", fmt.Sprintf("%s%d", name, i), "web", fmt.Sprintf("%s%d.example.com", name, i)))
	}
	return list
}

// However many domains fail, and fail fast, everybody gets a turn; and dead servers
// keep nobody waiting.
func TestChecksAreFair(t *testing.T) {
	f := &fakeWorld{certificates: append(many(600, "fails"), many(200, "dead")...), findings: map[string][]check.Finding{}, checksTake: 50 * time.Millisecond}
	for i := range 600 {
		f.findings[fmt.Sprintf("web/fails%d.example.com", i)] = []check.Finding{{Check: "cname-missing", Status: check.Failed}}
	}
	f.hangs = func(domain string) bool { return strings.HasPrefix(domain, "dead") }
	collecting(t, f, nil, func(t *testing.T, c *Collector) {
		time.Sleep(2 * time.Minute)
		f.mu.Lock()
		for i := range 600 {
			if n := f.checks[fmt.Sprintf("web/fails%d.example.com", i)]; n < 4 || n > 12 {
				t.Errorf("fails%d was checked %d times in two minutes", i, n)
			}
		}
		f.mu.Unlock()
		f.set(func() { f.certificates = append(f.certificates, many(1, "new")...) })
		time.Sleep(interval + 500*time.Millisecond)
		synctest.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		for i := range 200 {
			if n := f.checks[fmt.Sprintf("web/dead%d.example.com", i)]; n == 0 {
				t.Errorf("dead%d was not checked", i)
			}
		}
		if f.checks["web/new0.example.com"] == 0 {
			t.Error("a new domain is not checked within half a second")
		}
	})
}

// TestAttention: which domain is checked how often.
func TestAttention(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, tc := range []struct {
		name string
		a    attention
		bad  time.Time
		all  crowd
		want time.Duration
	}{
		{"missing since a moment", attention{}, now, crowd{domains: 1}, atOnce},
		{"missing, with many", attention{}, now, crowd{bad: 1000}, 20 * time.Second},
		{"missing, with very many", attention{}, now, crowd{bad: 10_000}, soon},
		{"missing for an hour", attention{}, ago(time.Hour), crowd{domains: 1}, soon},
		{"missing for a day", attention{}, ago(24 * time.Hour), crowd{domains: 10_000}, later},
		{"missing for a week, and somebody has just asked for a certificate", attention{waiting: now}, ago(7 * 24 * time.Hour), crowd{domains: 1}, atOnce},
		{"asked for long ago, and gone just now", attention{waiting: ago(7 * 24 * time.Hour)}, now, crowd{domains: 1}, atOnce},
		{"right", attention{}, time.Time{}, crowd{domains: 1}, settled},
		{"right, among many", attention{}, time.Time{}, crowd{domains: 5000}, 30 * time.Minute},
		{"right, among very many", attention{}, time.Time{}, crowd{domains: 100_000}, farthest},
		{"right, and renewed in a month", attention{renewal: now.Add(30 * 24 * time.Hour)}, time.Time{}, crowd{domains: 100_000}, farthest},
		{"right, and renewed tomorrow", attention{renewal: now.Add(23 * time.Hour)}, time.Time{}, crowd{domains: 100_000}, later},
		{"right, and its renewal is overdue", attention{renewal: ago(time.Hour)}, time.Time{}, crowd{domains: 100_000}, later},
	} {
		if got := tc.a.pause(checked{bad: tc.bad}, tc.all, now); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	early, late := now.Add(time.Hour), now.Add(2*time.Hour)
	d := Domain{Requests: []Request{{Since: ago(time.Hour)}, {Since: ago(time.Minute)}}, Certificates: []Certificate{{RenewalTime: &late}, {}, {RenewalTime: &early}}}
	if a := attentionOf(&d); !a.waiting.Equal(ago(time.Minute)) || !a.renewal.Equal(early) {
		t.Errorf("%+v", a)
	}
}

// One replica checks a domain, and the others know what it has found, also one that has
// just started; when it goes, another takes over. Another cluster that uses the same
// Redis is not told.
func TestChecksAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		f := &fakeWorld{certificates: many(40, "n"), follows: true, replicas: []string{"a:53", "b:53"}, findings: map[string][]check.Finding{"web/n7.example.com": {{Check: "cname-missing", Status: check.Failed}}}}
		even := func(key string) bool { return len(key)%2 == 0 } // n0…n9, or n10…n39
		var all []func(string) bool
		start := func(mine func(string) bool, cluster uuid.UUID) (*Collector, func()) {
			f.mu.Lock()
			i := len(all)
			all = append(all, mine)
			f.mu.Unlock()
			c := New(Config{Zone: z, Namespace: "cert-manager", Redis: true, Cluster: f, Store: f, Copy: f, Checker: f, ClusterID: cluster, Log: slog.New(slog.DiscardHandler),
				Mine: func(key string) bool { f.mu.Lock(); defer f.mu.Unlock(); return all[i](key) }})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { c.Run(ctx); close(done) }()
			stop := func() { cancel(); <-done }
			t.Cleanup(stop)
			return c, stop
		}
		one, other := uuid.New(), uuid.New()
		a, _ := start(even, one)
		b, stop := start(func(key string) bool { return !even(key) }, one)
		stranger, _ := start(func(string) bool { return false }, other)
		time.Sleep(2*time.Minute + interval)
		known := func(c *Collector) (n int) {
			for _, d := range c.Snapshot().Domains {
				if len(d.Checks) > 0 {
					n++
				}
			}
			return n
		}
		if known(a) != 40 || known(b) != 40 || known(stranger) != 0 {
			t.Errorf("they know of %d, %d and %d domains", known(a), known(b), known(stranger))
		}
		f.mu.Lock()
		for key, n := range f.checks {
			if key != "web/n7.example.com" && n != 1 {
				t.Errorf("%s was checked %d times", key, n)
			}
		}
		if f.puts > 100 {
			t.Errorf("they told %d times of 40 domains", f.puts)
		}
		f.mu.Unlock()

		stop() // a has all now, and checks nothing before it is due
		f.set(func() { all[0] = func(string) bool { return true } })
		time.Sleep(time.Minute)
		f.mu.Lock()
		if n := f.checks["web/n20.example.com"] + f.checks["web/n1.example.com"]; n != 2 {
			t.Errorf("two domains were checked %d times when a replica went", n)
		}
		f.mu.Unlock()
		time.Sleep(3 * time.Minute)
		f.mu.Lock()
		for key, n := range f.checks {
			if n < 2 {
				t.Errorf("%s was checked %d times in six minutes", key, n)
			}
		}
		checks := f.checks["web/n20.example.com"]
		f.mu.Unlock()
		c, _ := start(even, one) // a new one
		time.Sleep(2 * interval)
		n := known(c)
		f.mu.Lock()
		defer f.mu.Unlock()
		if n != 40 || f.checks["web/n20.example.com"] != checks {
			t.Errorf("a new replica knows of %d", n)
		}
		if d := c.Snapshot().Domains[0]; d.Checks == nil || d.Doubt != nil {
			t.Errorf("%+v", d)
		}
	})
}

// What another replica cannot tell since a while is not taken for known, and garbage in
// the store for nothing.
func TestReports(t *testing.T) {
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	target, err := z.Target("web", "a.example.com")
	if err != nil {
		t.Fatal(err)
	}
	put := func(f *fakeWorld, data string) { _ = f.PutFound(t.Context(), uuid.Nil, target.ID, []byte(data)) }
	f := &fakeWorld{certificates: []cluster.Certificate{certificate("web", "a", "web", "a.example.com")}}
	collecting(t, f, func(c *Config) { c.Mine = func(string) bool { return false } }, func(t *testing.T, c *Collector) {
		for _, garbage := range []string{"", "{", "null", `{"at": 7}`, `{"findings": [{"check": "cname", "status": "ok"}]}`, strings.Repeat("x", 1000)} {
			put(f, garbage)
			time.Sleep(2 * interval)
			if d := c.Snapshot().Domains[0]; len(d.Checks) != 0 || d.Doubt != nil {
				t.Errorf("%q: %+v", garbage, d)
			}
		}
		put(f, fmt.Sprintf(`{"at": %q, "findings": [{"check": "cname-unknown", "status": "unknown"}], "doubt": {"since": %q, "knownAt": %q, "known": [{"check": "cname", "status": "ok"}]}}`,
			time.Now().Format(time.RFC3339), time.Now().Add(-time.Hour).Format(time.RFC3339), time.Now().Add(-2*time.Hour).Format(time.RFC3339)))
		time.Sleep(2 * interval)
		d := c.Snapshot().Domains[0]
		if len(d.Checks) != 1 || d.Checks[0].Status != check.Unknown || d.Doubt == nil || d.Doubt.KnownAt == nil || len(d.Doubt.Known) != 1 {
			t.Errorf("%+v", d)
		}
		f.set(func() { f.storeErr = errors.New("refused") })
		time.Sleep(time.Hour)
		if d := c.Snapshot().Domains[0]; len(d.Checks) != 1 {
			t.Error("what was known is forgotten because the store cannot be reached")
		}
	})
}
