package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

// eventually wants ok within a time that is long for a machine, and short for people.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll.True(t, 30*time.Second, what, ok)
}

// events returns what our events in a namespace say, by kind of object.
func events(t *testing.T, namespace string) map[string]string {
	t.Helper()
	list, err := w.Kube.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, e := range list.Items {
		if e.Source.Component == "signpost" {
			said[e.InvolvedObject.Kind] += e.Message
		}
	}
	return said
}

// A missing CNAME never costs a validation at the CA. Events and the Challenge
// name the record; when it is there, the certificate comes within seconds.
func TestMissingCNAME(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "missing"})
	target, err := zones.Target("cert-manager", "missing.example.com")
	if err != nil {
		t.Fatal(err)
	}
	createCertificate(t, "missing", "missing", "ClusterIssuer", "missing", "missing.example.com", "*.missing.example.com")
	names := func(text string) bool {
		return strings.Contains(text, "_acme-challenge.missing.example.com") && strings.Contains(text, target)
	}
	reason(t, "missing", "missing.example.com", func(c acmev1.Challenge) bool { return names(c.Status.Reason) })
	eventually(t, "events on the Challenge and the Certificate name the record", func() bool {
		said := events(t, "missing")
		return names(said["Challenge"]) && names(said["Certificate"])
	})
	time.Sleep(15 * time.Second) // cert-manager is in its back-off now, 25 s by this time
	challenges, err := w.Challenges(t.Context(), "missing")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range challenges {
		if c.Status.Presented || c.Status.State != acmev1.Pending && c.Status.State != "" { // one waits for the other
			t.Errorf("the Challenge is %s, presented: %v", c.Status.State, c.Status.Presented)
		}
	}
	validations := func() int { return strings.Count(w.CA.Output(), `Type:"dns", Value:"missing.example.com"`) }
	if n := validations(); n != 0 {
		t.Errorf("the CA has validated %d times without a CNAME", n)
	}
	setCNAME(t, "example.com", "missing.example.com", "cert-manager")
	begin := time.Now()
	waitReady(t, "missing", "missing", "missing.example.com", "*.missing.example.com")
	took := time.Since(begin)
	t.Logf("from \"CNAME visible\" to Ready: %.1f s", took.Seconds())
	if took > 20*time.Second { // the nudge has not worked: that would be the back-off
		t.Errorf("Ready only %v after the CNAME was there", took)
	}
	if n := validations(); n != 2 { // the name and the wildcard: so this does count them
		t.Errorf("the CA has validated %d times, want 2", n)
	}
	leavesNothing(t)
}

// Redis forgets everything while a challenge is under way: the record comes back
// from the Challenge, and the certificate is issued all the same.
func TestRedisForgets(t *testing.T) {
	// With the others that wait for the self-check; what they have comes back too.
	t.Parallel()
	createIssuer(t, world.IssuerOptions{Name: "forgets", SelfCheck: true}) // waits for a minute before the CA asks
	setCNAME(t, "example.com", "forgets.example.com", "cert-manager")
	target, err := zones.Target("cert-manager", "forgets.example.com")
	if err != nil {
		t.Fatal(err)
	}
	createCertificate(t, "web", "forgets", "ClusterIssuer", "forgets", "*.forgets.example.com")
	recorded := func() bool {
		keys, err := w.Redis.Keys(t.Context(), keyPrefix+targetID(t, world.CertManagerNamespace, "forgets.example.com"))
		return err == nil && len(keys) == 1
	}
	eventually(t, "the challenge is presented", recorded)
	c := reason(t, "web", "forgets.example.com", func(c acmev1.Challenge) bool { return c.Spec.Key != "" })
	if err := w.Redis.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	eventually(t, "the record is back in Redis", recorded)
	t.Logf("the record was back after %.1f s", time.Since(begin).Seconds())
	ok, err := check.Serves(context.WithoutCancel(t.Context()), world.ReplicaAddress(0)+":53", target, c.Spec.Key)
	if !ok || err != nil {
		t.Errorf("the record is not served: %v, %v", ok, err)
	}
	waitReady(t, "web", "forgets", "*.forgets.example.com")
	leavesNothingOf(t, world.CertManagerNamespace, "forgets.example.com")
}
