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
// That is no excuse for us: while a challenge is presented, the replica that is
// left is asked directly, and has to answer with the value every time.
func resolverWasSlow(t *testing.T, namespace, name string) (slow bool) {
	t.Helper()
	answered := map[string]int{} // by Challenge: how often by each of our addresses
	poll.Until(t, issuing, name+" is Ready, or has failed", func() error {
		askReplica(t, namespace, name, answered)
		c, err := w.CM.CertmanagerV1().Certificates(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || cluster.IsReady(c) {
			return err
		}
		if c.Status.LastFailureTime == nil {
			return errors.New("neither")
		}
		challenges, err := w.Challenges(t.Context(), namespace)
		if err != nil {
			return err
		}
		for _, c := range challenges {
			if c.Spec.DNSName == name+".example.com" && strings.Contains(c.Status.Reason, "Error retrieving TXT records") && answered[c.Name] > 0 {
				slow = true
			}
		}
		if !slow {
			t.Fatal("an authorization has failed, and not by the CA's resolver alone\n" + w.Explain(namespace))
		}
		t.Logf("%s: the CA's resolver was slow, our replica was not (%v answers); once more", name, answered)
		return nil
	})
	return slow
}

// askReplica asks the second replica, at both of its addresses, for the value of
// each Challenge of a name that is presented and that the CA still may ask for.
func askReplica(t *testing.T, namespace, name string, answered map[string]int) {
	t.Helper()
	challenges, err := w.Challenges(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	open := func(c *acmev1.Challenge) bool {
		return c.Status.Presented && (c.Status.State == acmev1.Pending || c.Status.State == acmev1.Processing)
	}
	for _, c := range challenges {
		if c.Spec.DNSName != name+".example.com" || !open(&c) {
			continue
		}
		target, err := world.Target(world.CertManagerNamespace, c.Spec.DNSName)
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{world.ReplicaAddress(1), world.ReplicaAddress6(1)} {
			ok, err := solver.DNSServes(t.Context(), net.JoinHostPort(address, "53"), target, c.Spec.Key)
			now, errNow := w.CM.AcmeV1().Challenges(namespace).Get(t.Context(), c.Name, metav1.GetOptions{})
			switch {
			case ok && err == nil:
				answered[c.Name]++
			case errNow == nil && open(now): // it has not been cleaned up meanwhile
				t.Fatalf("while the challenge for %s was presented, %s did not answer with its value: %v, %v", c.Spec.DNSName, address, ok, err)
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
