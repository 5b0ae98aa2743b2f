package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/solver"
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

// denial waits until cert-manager has been denied an Order for a Certificate, with
// a text in which ok finds what it looks for, and returns that.
func denial(t *testing.T, namespace, certificate string, ok func(text string) bool) string {
	t.Helper()
	last := ""
	eventually(t, "the request of "+namespace+"/"+certificate+" is denied", func() bool {
		last = ready(t, namespace, certificate)
		return strings.Contains(last, "denied the request") && ok(last)
	})
	return last
}

// ready returns what the newest request of a Certificate says about being Ready.
func ready(t *testing.T, namespace, certificate string) (message string) {
	t.Helper()
	list, err := w.CM.CertmanagerV1().CertificateRequests(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var newest metav1.Time
	for _, r := range list.Items {
		if r.Annotations[cmv1.CertificateNameKey] != certificate || r.CreationTimestamp.Before(&newest) {
			continue
		}
		newest = r.CreationTimestamp
		for _, c := range r.Status.Conditions {
			if c.Type == cmv1.CertificateRequestConditionReady {
				message = c.Message
			}
		}
	}
	return message
}

// noOrder checks that there is no Order, and so no Challenge, in a namespace.
func noOrder(t *testing.T, namespace string) {
	t.Helper()
	orders, err := w.CM.AcmeV1().Orders(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(orders.Items) > 0 {
		t.Errorf("namespace %s has %d Orders, %v", namespace, len(orders.Items), err)
	}
	challenges, err := w.Challenges(t.Context(), namespace)
	if err != nil || len(challenges) > 0 {
		t.Errorf("namespace %s has %d Challenges, %v", namespace, len(challenges), err)
	}
}

func asked(domain string) int {
	return strings.Count(w.CA.Output(), `Type:"dns", Value:"`+domain+`"`)
}

// A missing CNAME never costs anything at the CA, nor a place in cert-manager's
// queue. The request and events name the record; when it is there, the certificate
// comes within seconds.
func TestMissingCNAME(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "missing"})
	target, err := world.Target("cert-manager", "missing.example.com")
	if err != nil {
		t.Fatal(err)
	}
	createCertificate(t, "missing", "missing", "ClusterIssuer", "missing", "missing.example.com", "*.missing.example.com")
	names := func(text string) bool {
		return strings.Contains(text, "_acme-challenge.missing.example.com CNAME "+target)
	}
	denial(t, "missing", "missing", names)
	eventually(t, "events on the request and the Certificate name the record", func() bool {
		said := events(t, "missing")
		return names(said["CertificateRequest"]) && names(said["Certificate"])
	})
	noOrder(t, "missing")
	if n := asked("missing.example.com"); n != 0 {
		t.Errorf("the CA has validated %d times without a CNAME", n)
	}
	setCNAME(t, "example.com", "missing.example.com", "cert-manager")
	begin := time.Now()
	waitReady(t, "missing", "missing", "missing.example.com", "*.missing.example.com")
	took := time.Since(begin)
	t.Logf("from \"CNAME visible\" to Ready: %.1f s", took.Seconds())
	limit := 20 * time.Second // beyond, the nudge has not worked: that would be the back-off
	if world.SelfChecks() {
		limit += 2*time.Minute + 20*time.Second // the name, and then the wildcard
	}
	if took > limit {
		t.Errorf("Ready only %v after the CNAME was there", took)
	}
	if n := asked("missing.example.com"); n != 2 { // the name and the wildcard: so this does count them
		t.Errorf("the CA has validated %d times, want 2", n)
	}
	leavesNothing(t)
}

// A hundred domains without their record hold nobody up: neither another domain,
// nor a renewal.
func TestManyWaiting(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "many"})
	setCNAME(t, "example.com", "renews.example.com", "cert-manager")
	setCNAME(t, "example.com", "good.example.com", "cert-manager")
	before := issue(t, "web", "renews", "ClusterIssuer", "many", "*.renews.example.com")
	const n = 100
	for i := range n {
		createCertificate(t, "many", fmt.Sprintf("many-%d", i), "ClusterIssuer", "many", fmt.Sprintf("*.many-%d.example.com", i))
	}
	for i := range n {
		denial(t, "many", fmt.Sprintf("many-%d", i), func(string) bool { return true })
	}
	begin := time.Now()
	issue(t, "web", "good", "ClusterIssuer", "many", "*.good.example.com")
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("with %d waiting a good one is Ready after %v", n, took)
	}
	renew(t, "web", "renews")
	renewed(t, "web", "renews", before)
	createIssuer(t, world.IssuerOptions{Name: "many-http", HTTP01: true})
	createCertificate(t, "http", "beside", "ClusterIssuer", "many-http", "beside.example.com")
	eventually(t, "cert-manager works on the challenge of an HTTP-01 order", func() bool {
		list, err := w.Challenges(t.Context(), "http")
		return err == nil && len(list) == 1 && list[0].Status.Processing
	})
	if err := w.CM.CertmanagerV1().Certificates("http").Delete(t.Context(), "beside", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	deleteOrders(t, "http")
	noOrder(t, "many")
	setCNAME(t, "example.com", "many-77.example.com", "cert-manager")
	begin = time.Now()
	waitReady(t, "many", "many-77", "*.many-77.example.com")
	t.Logf("one of %d Ready %.1f s after its record", n, time.Since(begin).Seconds())
	if err := w.CM.CertmanagerV1().Certificates("many").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if err := w.CM.CertmanagerV1().CertificateRequests("many").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	leavesNothing(t)
}

// deleteOrders deletes the requests and Orders in a namespace, and what belongs to them.
func deleteOrders(t *testing.T, namespace string) {
	t.Helper()
	if err := w.CM.CertmanagerV1().CertificateRequests(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if err := w.CM.AcmeV1().Orders(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	collectChallenges(t, namespace)
}

// collectChallenges does what the garbage collector does where there is one: the
// Challenges of Orders that are gone go too.
func collectChallenges(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the Challenges in "+namespace+" are gone", func() bool {
		if err := w.CM.AcmeV1().Challenges(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
		list, err := w.Challenges(t.Context(), namespace)
		return err == nil && len(list) == 0
	})
}

// While Signpost is down, Orders for protected Issuers wait, and go on by themselves
// afterwards. Others are created unasked; one whose record is missing then gives its
// place in the queue back, and its request waits at the gate.
func TestGateDown(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "protected"})
	createIssuer(t, world.IssuerOptions{Name: "unprotected"})
	setCNAME(t, "example.com", "guarded.example.com", "cert-manager")
	for _, r := range w.Replicas {
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	started := false
	start := func(ctx context.Context) {
		for _, r := range w.Replicas {
			if err := r.Run(ctx); err != nil {
				t.Error(err)
			}
		}
		started = true
	}
	defer func() {
		if !started {
			start(context.Background())
		}
	}()
	createCertificate(t, "down", "guarded", "ClusterIssuer", "protected", "*.guarded.example.com")
	createCertificate(t, "down", "unguarded", "ClusterIssuer", "unprotected", "*.unguarded.example.com")
	pending := func(certificate, text string) func() bool {
		return func() bool { return strings.Contains(ready(t, "down", certificate), text) }
	}
	eventually(t, "the protected Issuer's Order is not created", pending("guarded", "failed calling webhook"))
	eventually(t, "the other Issuer's Order is created", func() bool {
		orders, err := w.CM.AcmeV1().Orders("down").List(t.Context(), metav1.ListOptions{})
		return err == nil && len(orders.Items) == 1 && strings.Contains(orders.Items[0].Name, "unguarded")
	})
	start(t.Context())
	waitReady(t, "down", "guarded", "*.guarded.example.com")
	denial(t, "down", "unguarded", func(text string) bool { return strings.Contains(text, "_acme-challenge.unguarded.example.com CNAME") })
	eventually(t, "its Order is gone", func() bool {
		orders, err := w.CM.AcmeV1().Orders("down").List(t.Context(), metav1.ListOptions{})
		return err == nil && !slices.ContainsFunc(orders.Items, func(o acmev1.Order) bool { return strings.Contains(o.Name, "unguarded") })
	})
	collectChallenges(t, "down")
	setCNAME(t, "example.com", "unguarded.example.com", "cert-manager")
	waitReady(t, "down", "unguarded", "*.unguarded.example.com")
	leavesNothing(t)
}

// Redis forgets everything while a challenge is under way: the record comes back
// from the Challenge, and the certificate is issued all the same.
func TestRedisForgets(t *testing.T) {
	// With the others that wait for the self-check; what they have comes back too.
	t.Parallel()
	createIssuer(t, world.IssuerOptions{Name: "forgets", SelfCheck: true}) // waits for a minute before the CA asks
	setCNAME(t, "example.com", "forgets.example.com", "cert-manager")
	target, err := world.Target("cert-manager", "forgets.example.com")
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
	ok, err := solver.DNSServes(context.WithoutCancel(t.Context()), world.ReplicaAddress(0)+":53", target, c.Spec.Key)
	if !ok || err != nil {
		t.Errorf("the record is not served: %v, %v", ok, err)
	}
	waitReady(t, "web", "forgets", "*.forgets.example.com")
	leavesNothingOf(t, world.CertManagerNamespace, "forgets.example.com")
}
