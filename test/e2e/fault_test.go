package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/solver"
	"github.com/signpost-acme/signpost/test/world"
)

// Without Redis Present fails with a sentence that stays the same, known records
// are still answered, and the order completes once Redis is back.
func TestRedisGone(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "redis-gone"})
	setCNAME(t, "example.com", "redis-gone.example.com", "cert-manager")
	w.Redis.Kill()
	createCertificate(t, "redis-gone", "redis-gone", "ClusterIssuer", "redis-gone", "*.redis-gone.example.com")
	reason(t, "redis-gone", "redis-gone.example.com", func(c acmev1.Challenge) bool {
		return strings.Contains(c.Status.Reason, "Signpost's record store (Redis) cannot be reached")
	})
	if err := w.Redis.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitReady(t, "redis-gone", "redis-gone", "*.redis-gone.example.com")
	leavesNothing(t)
}

// One of two replicas dies. Present waits until it counts as dead, and the
// certificate comes through the other.
func TestReplicaDies(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "dies"})
	if err := w.Replicas[0].Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Replicas[0].Run(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for try := 1; ; try++ {
		name := fmt.Sprintf("dies-%d", try)
		domain := name + ".example.com"
		setCNAME(t, "example.com", domain, "cert-manager")
		begin := time.Now()
		createCertificate(t, "web", name, "ClusterIssuer", "dies", domain, "*."+domain)
		if try < 5 && resolverWasSlow(t, "web", name) {
			continue
		}
		waitReady(t, "web", name, domain, "*."+domain)
		t.Logf("with one replica dead: %.1f s, try %d", time.Since(begin).Seconds(), try)
		break
	}
	leavesNothing(t)
}

// resolverWasSlow waits until a Certificate is Ready or an authorization has
// failed, and reports whether that was because the CA's resolver did not answer
// in time: Pebble waits for two seconds, and does not ask again as CAs do. Unbound
// may need longer until it has learned which of a zone's addresses are dead, and
// with random letters it then even compares what all of them say; a question that
// has come to that stays slow, so that the next try must be about another name.
// That is no excuse for us: all the time the replica that is left is asked directly
// for what is in Redis.
func resolverWasSlow(t *testing.T, namespace, name string) (slow bool) {
	t.Helper()
	domain := name + ".example.com"
	r := direct{since: map[string]time.Time{}, answers: map[string]int{}}
	poll.Until(t, issuing, name+" is Ready, or has failed", func() error {
		r.ask(t, domain)
		c, err := w.CM.CertmanagerV1().Certificates(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || cluster.IsReady(c) {
			return err
		}
		if c.Status.LastFailureTime == nil {
			return errors.New("neither")
		}
		said := w.Explain(namespace)
		if !strings.Contains(said, "Error retrieving TXT records") {
			t.Fatal(said)
		}
		challenges, err := w.Challenges(t.Context(), namespace)
		if err != nil {
			return err
		}
		for _, c := range challenges {
			if c.Spec.DNSName == domain && c.Status.State == acmev1.Invalid && r.answers[c.Spec.Key] == 0 {
				t.Fatalf("the CA got no answer, and neither did we when we asked our replica\n%s", said)
			}
		}
		t.Logf("%s: the CA's resolver was slow, our replica was not; once more", name)
		slow = true
		return nil
	})
	return slow
}

// direct asks the second replica at both of its addresses.
type direct struct {
	since   map[string]time.Time // by value: when it was first seen in Redis
	answers map[string]int       // by value: how often it was in the answer
}

// ask asks for the values that Redis has for a domain. A replica may need a moment
// for a new one; one that has been there for a second has to be in the answer.
func (d *direct) ask(t *testing.T, domain string) {
	t.Helper()
	target, err := world.Target(world.CertManagerNamespace, domain)
	if err != nil {
		t.Fatal(err)
	}
	stored := func() []string {
		values, err := w.Redis.Values(t.Context(), keyPrefix+targetID(t, world.CertManagerNamespace, domain))
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	for _, value := range stored() {
		if d.since[value].IsZero() {
			d.since[value] = time.Now()
		}
		for _, address := range []string{world.ReplicaAddress(1), world.ReplicaAddress6(1)} {
			known := time.Since(d.since[value]) > time.Second
			ok, err := solver.DNSServes(t.Context(), net.JoinHostPort(address, "53"), target, value)
			switch {
			case ok && err == nil:
				d.answers[value]++
			case known && slices.Contains(stored(), value): // CleanUp has not begun
				t.Fatalf("the value for %s is in Redis, and %s does not answer with it: %v, %v", domain, address, ok, err)
			}
		}
	}
}

// A rolling restart while certificates are issued loses none of them.
func TestRollingRestart(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "rolling"})
	setCNAME(t, "example.com", "rolling.example.com", "cert-manager")
	createCertificate(t, "web", "rolling", "ClusterIssuer", "rolling", "rolling.example.com", "*.rolling.example.com")
	for _, r := range w.Replicas {
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if log := r.Log(); !strings.Contains(log, "msg=stopped") {
			t.Errorf("the replica did not stop cleanly:\n%s", log)
		}
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waitReady(t, "web", "rolling", "rolling.example.com", "*.rolling.example.com")
	leavesNothing(t)
}

// No challenge value is in any log, on the page, in the metrics, in an event, or in
// a command line.
func TestLogsAreDiscreet(t *testing.T) {
	// With the others that wait for the self-check.
	t.Parallel()
	createIssuer(t, world.IssuerOptions{Name: "discreet", SelfCheck: true}) // which keeps the challenge open for a minute
	setCNAME(t, "example.com", "discreet.example.com", "cert-manager")
	createCertificate(t, "web", "discreet", "ClusterIssuer", "discreet", "*.discreet.example.com")
	var key string
	reason(t, "web", "discreet.example.com", func(c acmev1.Challenge) bool { key = c.Spec.Key; return key != "" })
	eventually(t, "the challenge on the status page", func() bool { return strings.Contains(get(t, "/status.json"), "discreet.example.com") })
	for _, path := range []string{"/", "/status.json", "/metrics", "/?domain=discreet.example.com"} {
		if strings.Contains(get(t, path), key) {
			t.Errorf("a challenge's value is at %s", path)
		}
	}
	events, err := w.Kubectl(t.Context(), "", "get", "events", "--all-namespaces", "--output", "json")
	if err != nil || strings.Contains(events, key) {
		t.Errorf("a challenge's value is in an event, or %v", err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(processes) < 5 {
		t.Fatalf("%d processes: %v", len(processes), err)
	}
	for _, file := range processes {
		if line, err := os.ReadFile(file); err == nil && strings.Contains(string(line), key) {
			t.Errorf("a challenge's value is in the command line %q", line)
		}
	}
	waitReady(t, "web", "discreet", "*.discreet.example.com")
	for _, r := range w.Replicas {
		if strings.Contains(r.Log(), key) {
			t.Error("a challenge's value is in the log")
		}
	}
	target, err := world.Target("cert-manager", "discreet.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := solver.DNSServes(t.Context(), world.ReplicaAddress(1)+":53", target, key); ok || err != nil {
		t.Errorf("after CleanUp the value is still served: %v, %v", ok, err)
	}
	leavesNothingOf(t, world.CertManagerNamespace, "discreet.example.com")
}

// get returns what the first replica has on its plain HTTP port.
func get(t *testing.T, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + world.ReplicaAddress(0) + ":8080" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return string(b)
}
