package solver_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"

	"github.com/signpost-acme/signpost/dnsserve"
	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/solver"
)

const (
	clusterTarget = "01917426-a1cd-547e-bc8e-ca4d7b697e62.acme.example.com"
	teamTarget    = "9cc75bfc-78bd-50c2-8636-0932fd3aceed.acme.example.com"
	key           = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"
)

// world is a zone on real Redis with real DNS servers.
type world struct {
	zone   *zone.Zone
	redis  *redistest.Server
	store  *store.Redis
	solver *solver.Solver

	cname check.Finding // what lookUp says; the zero Result is fine with the gate
}

func (w *world) lookUp(context.Context, string, string) check.Finding { return w.cname }

func newWorld(t *testing.T, servers int) (*world, []string) {
	t.Helper()
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{zone: z, redis: redistest.Start(t)}
	w.store, err = store.NewRedis(z.Origin(), store.RedisOptions{URL: w.redis.URL()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	w.solver = solver.New(z, w.store, solver.DNSServes, w.lookUp, slog.New(slog.DiscardHandler))
	var addresses []string
	for range servers {
		addresses = append(addresses, w.startServer(t))
	}
	return w, addresses
}

// startServer runs a DNS server that follows the store, announces it once, and returns its address.
func (w *world) startServer(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c, done := &store.Copy{}, make(chan struct{})
	ns, err := w.zone.Nameservers([]string{"ns.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := dnsserve.Listen(dnsserve.Config{Zone: w.zone, Nameservers: ns, Records: c, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	own, err := store.NewRedis(w.zone.Origin(), store.RedisOptions{URL: w.redis.URL()}, slog.New(slog.DiscardHandler)) // as each replica has
	if err != nil {
		t.Fatal(err)
	}
	go func() { own.Follow(ctx, c); own.Close(); close(done) }()
	served := make(chan error, 1)
	go func() { served <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; <-served })
	for !c.Synced() {
		time.Sleep(time.Millisecond)
	}
	address := s.Addrs()[0].String()
	if err := w.store.Announce(ctx, address); err != nil {
		t.Fatal(err)
	}
	return address
}

func request(change ...func(*whapi.ChallengeRequest)) *whapi.ChallengeRequest {
	req := &whapi.ChallengeRequest{
		ResourceNamespace: "cert-manager", DNSName: "example.com", Key: key,
		ResolvedFQDN: "_acme-challenge.example.com.", ResolvedZone: "example.com.",
	}
	for _, c := range change {
		c(req)
	}
	return req
}

func serves(t *testing.T, servers []string, name, value string, want bool) {
	t.Helper()
	for _, server := range servers {
		if got, err := solver.DNSServes(t.Context(), server, name, value); err != nil || got != want {
			t.Errorf("%s serves %s at %s: %v, %v, want %v", server, value, name, got, err, want)
		}
	}
}

// When Present returns, every server answers, without a moment's wait; so it is
// with the removal, but for that one value alone.
func TestPresentAndCleanUp(t *testing.T) {
	w, servers := newWorld(t, 3)
	wildcard := request(func(r *whapi.ChallengeRequest) {
		r.DNSName, r.Key, r.ResolvedFQDN = "*.example.com", "second", strings.ToUpper(clusterTarget)+"."
	})
	team := request(func(r *whapi.ChallengeRequest) { r.ResourceNamespace = "team-a" })
	for range 2 { // a repeated call changes nothing
		for _, req := range []*whapi.ChallengeRequest{request(), wildcard, team} {
			if err := w.solver.Present(req); err != nil {
				t.Fatal(err)
			}
		}
		serves(t, servers, clusterTarget, key, true)
		serves(t, servers, clusterTarget, "second", true)
		serves(t, servers, teamTarget, key, true)
		serves(t, servers, teamTarget, "second", false)
	}
	for range 2 {
		if err := w.solver.CleanUp(request()); err != nil {
			t.Fatal(err)
		}
	}
	gone := func() bool {
		return !slices.ContainsFunc(servers, func(server string) bool {
			ok, _ := solver.DNSServes(t.Context(), server, clusterTarget, key)
			return ok
		})
	}
	for deadline := time.Now().Add(10 * time.Second); !gone() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	serves(t, servers, clusterTarget, key, false)
	serves(t, servers, clusterTarget, "second", true)
	serves(t, servers, teamTarget, key, true)
}

func TestPresentWaitsForEveryServer(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, 1)
	// A server that is announced but not there holds Present back until its heartbeat runs out.
	if err := w.store.Announce(t.Context(), "127.0.0.1:9"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- w.solver.Present(request()) }()
	select {
	case err := <-done:
		t.Fatalf("Present returned %v after %v although one server is still announced", err, time.Since(start))
	case <-time.After(500 * time.Millisecond):
	}
	late := w.startServer(t) // one that comes meanwhile counts too
	go func() {              // the first server would run out as well: nobody else announces it here
		for t.Context().Err() == nil {
			_ = w.store.Announce(t.Context(), late)
			time.Sleep(time.Second)
		}
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	serves(t, []string{late}, clusterTarget, key, true)
}

func TestPresentWithoutServers(t *testing.T) {
	t.Parallel() // it takes as long as Present's bound
	w, _ := newWorld(t, 0)
	err := w.solver.Present(request())
	if err == nil || !strings.Contains(err.Error(), "none of Signpost's DNS servers is running") {
		t.Errorf("Present = %v", err)
	}
}

func TestRefused(t *testing.T) {
	w, _ := newWorld(t, 0)
	config := func(s string) func(*whapi.ChallengeRequest) {
		return func(r *whapi.ChallengeRequest) { r.Config = &apiextensionsv1.JSON{Raw: []byte(s)} }
	}
	resolved := func(s string) func(*whapi.ChallengeRequest) {
		return func(r *whapi.ChallengeRequest) { r.ResolvedFQDN = s }
	}
	domain := func(s string) func(*whapi.ChallengeRequest) {
		return func(r *whapi.ChallengeRequest) { r.DNSName = s }
	}
	for name, tc := range map[string]struct {
		change func(*whapi.ChallengeRequest)
		want   string
	}{
		"another namespace's target": {resolved(teamTarget + "."),
			"_acme-challenge.example.com points at " + teamTarget + ", but for issuers in namespace cert-manager it must be a CNAME to " + clusterTarget},
		"outside the zone":          {resolved("x.example.net."), "points at x.example.net, but"},
		"a label that has a dot":    {resolved(`01917426-a1cd-547e-bc8e-ca4d7b697e62\.acme.example.com.`), "points at"},
		"the zone as a prefix":      {resolved(clusterTarget + ".evil.example."), "points at"},
		"another name's challenge":  {resolved("_acme-challenge.example.org."), "points at _acme-challenge.example.org"},
		"unknown setting":           {config(`{"checkCname":false}`), `unknown field "checkCname"`},
		"setting of another solver": {config(`{"apiKeySecretRef":{"name":"x"}}`), `unknown field "apiKeySecretRef"`},
		"setting that is no bool":   {config(`{"checkCNAME":"no"}`), "{checkCNAME: false}"},
		"config that is a list":     {config(`[]`), "not an object"},
		"no domain":                 {domain(""), "is empty"},
		"no name":                   {domain("exa mple.com"), "character that names cannot have"},
		"IP address":                {domain("192.0.2.1"), "IP address"},
		"too long":                  {domain(strings.Repeat("a.", 120) + "com"), "longer than"},
		"inside our own zone":       {domain("foo.acme.example.com"), "the zone that Signpost itself serves"},
		"no namespace":              {func(r *whapi.ChallengeRequest) { r.ResourceNamespace = "" }, "not the name of a Kubernetes namespace"},
		"namespace with a slash":    {func(r *whapi.ChallengeRequest) { r.ResourceNamespace = "a/b" }, "not the name of a Kubernetes namespace"},
		"no key":                    {func(r *whapi.ChallengeRequest) { r.Key = "" }, "key is empty"},
		"key too long":              {func(r *whapi.ChallengeRequest) { r.Key = strings.Repeat("k", 256) }, "longer than the 255"},
		"key with a line end":       {func(r *whapi.ChallengeRequest) { r.Key = "a\nb" }, "character that no ACME key has"},
	} {
		t.Run(name, func(t *testing.T) {
			first := w.solver.Present(request(tc.change))
			if first == nil || !strings.Contains(first.Error(), tc.want) {
				t.Fatalf("Present = %v, want an error with %q", first, tc.want)
			}
			if second := w.solver.Present(request(tc.change)); second == nil || second.Error() != first.Error() {
				t.Errorf("the text changes: %q, then %q", first, second)
			}
			if err := w.solver.CleanUp(request(tc.change)); err != nil {
				t.Errorf("CleanUp = %v; it would keep the Challenge from being deleted", err)
			}
		})
	}
	if keys := w.redis.Do("KEYS", "*-*-*").([]any); len(keys) != 0 { // nothing of a name
		t.Errorf("refused challenges left %q in Redis", keys)
	}
}

func TestAcceptedConfigs(t *testing.T) {
	w, servers := newWorld(t, 1)
	for _, c := range []*apiextensionsv1.JSON{nil, {}, {Raw: []byte("null")}, {Raw: []byte("{}")}} {
		if err := w.solver.Present(request(func(r *whapi.ChallengeRequest) { r.Config, r.ResolvedFQDN = c, "" })); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	serves(t, servers, clusterTarget, key, true)
}

// Without the CNAME nothing is presented, and the Challenge names the record; the
// Issuer's config can turn that off.
func TestGate(t *testing.T) {
	w, servers := newWorld(t, 1)
	w.cname = check.Finding{Check: "cname-missing", Status: check.Failed, Hint: "add the CNAME"}
	for _, status := range []check.Status{check.Failed, check.Unknown} {
		w.cname.Status = status
		if err := w.solver.Present(request()); err == nil || err.Error() != w.cname.Hint {
			t.Errorf("%s: Present = %v, want the hint", status, err)
		}
	}
	serves(t, servers, clusterTarget, key, false)
	off := request(func(r *whapi.ChallengeRequest) { r.Config = &apiextensionsv1.JSON{Raw: []byte(`{"checkCNAME":false}`)} })
	if err := w.solver.Present(off); err != nil {
		t.Error(err)
	}
	for _, status := range []check.Status{check.OK, check.Warning} {
		w.cname.Status = status
		if err := w.solver.Present(request()); err != nil {
			t.Errorf("%s: %v", status, err)
		}
	}
}

func TestRedisGone(t *testing.T) {
	w, servers := newWorld(t, 1)
	if err := w.solver.Present(request()); err != nil {
		t.Fatal(err)
	}
	w.redis.Kill()
	other := request(func(r *whapi.ChallengeRequest) { r.Key = "other" })
	for _, call := range []func(*whapi.ChallengeRequest) error{w.solver.Present, w.solver.CleanUp} {
		first, second := call(other), call(other)
		if first == nil || !strings.Contains(first.Error(), "record store (Redis) cannot be reached") || !errors.Is(second, first) {
			t.Errorf("without Redis: %v, then %v", first, second)
		}
	}
	serves(t, servers, clusterTarget, key, true) // known records are still answered
	w.redis.Run()
	go func() { // its heartbeats
		for t.Context().Err() == nil {
			_ = w.store.Announce(t.Context(), servers[0])
			time.Sleep(store.HeartbeatInterval)
		}
	}()
	if err := w.solver.Present(other); err != nil {
		t.Errorf("with Redis back: %v", err)
	}
}

// The conformance suite calls Initialize several times, and cert-manager's library
// ends nothing that it started.
func TestInitializeStartsNothing(t *testing.T) {
	w, _ := newWorld(t, 0)
	before := running(t)
	stop := make(chan struct{})
	defer close(stop)
	for range 3 {
		if err := w.solver.Initialize(&rest.Config{Host: "https://127.0.0.1:1"}, stop); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(50 * time.Millisecond) // for what begins by a timer
	for what, stack := range running(t) {
		if _, ok := before[what]; !ok {
			t.Errorf("Initialize has started %s", stack)
		}
	}
	if w.solver.Name() != "signpost" {
		t.Error(w.solver.Name())
	}
}

// running returns what this process has: goroutines, with where they are, and
// open files, among which are sockets.
func running(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		id, _, _ := strings.Cut(stack, "[") // goroutine 7
		all[id] = stack
	}
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no open files: %v", err)
	}
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil { // the folder itself is closed by now
			all[target] = target
		}
	}
	return all
}
