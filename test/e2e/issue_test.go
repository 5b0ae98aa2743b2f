package e2e

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

// issuing is how long a certificate may take; seconds are usual, but a try that
// fails on purpose is repeated only after cert-manager's back-off.
const issuing = 3 * time.Minute

// setCNAME does what the owner of a domain does, once.
func setCNAME(t *testing.T, zone, name, scope string) {
	t.Helper()
	target, err := world.Target(scope, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Parent.SetCNAME(t.Context(), zone, name, target); err != nil {
		t.Fatal(err)
	}
}

func createIssuer(t *testing.T, o world.IssuerOptions) {
	t.Helper()
	if err := w.CreateIssuer(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func createCertificate(t *testing.T, namespace, name, kind, issuer string, dnsNames ...string) {
	t.Helper()
	if err := w.Namespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	if err := w.CreateCertificate(t.Context(), namespace, name, kind, issuer, dnsNames...); err != nil {
		t.Fatal(err)
	}
}

// waitReady waits for the Certificate, and checks that its Secret has a
// certificate of the CA for exactly these names.
func waitReady(t *testing.T, namespace, name string, dnsNames ...string) *x509.Certificate {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), issuing)
	defer cancel()
	cert, err := w.WaitReady(ctx, namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(slices.Values(cert.DNSNames))
	if !slices.Equal(got, slices.Sorted(slices.Values(dnsNames))) || !strings.HasPrefix(cert.Issuer.CommonName, "Pebble") {
		t.Errorf("the certificate is for %q by %s, want %q by Pebble", got, cert.Issuer.CommonName, dnsNames)
	}
	return cert
}

func issue(t *testing.T, namespace, name, kind, issuer string, dnsNames ...string) *x509.Certificate {
	t.Helper()
	begin := time.Now()
	createCertificate(t, namespace, name, kind, issuer, dnsNames...)
	cert := waitReady(t, namespace, name, dnsNames...)
	t.Logf("%v Ready after %.1f s", dnsNames, time.Since(begin).Seconds())
	return cert
}

// keyPrefix is what our keys in Redis begin with.
const keyPrefix = "signpost:{" + world.Zone + "}:"

// leavesNothing checks that CleanUp has removed every value from Redis.
func leavesNothing(t *testing.T) {
	t.Helper()
	leaves(t, keyPrefix+"????????-*") // what else there is is of the servers, not of a challenge
	leaves(t, keyPrefix+"asked:*")
}

// leavesNothingOf is leavesNothing for one domain, beside others.
func leavesNothingOf(t *testing.T, scope, domain string) {
	t.Helper()
	leaves(t, keyPrefix+targetID(t, scope, domain))
}

// leaves waits until Redis has no keys of this pattern but those that may stay.
func leaves(t *testing.T, pattern string, stay ...string) {
	t.Helper()
	poll.Until(t, 30*time.Second, "nothing of the challenges is left", func() error {
		keys, err := w.Redis.Keys(t.Context(), pattern)
		keys = slices.DeleteFunc(keys, func(k string) bool { return slices.Contains(stay, k) })
		if err == nil && len(keys) > 0 {
			err = fmt.Errorf("Redis still has %q", keys)
		}
		return err
	})
}

// targetID is the first label of a target, which its key in Redis and messages
// about it have.
func targetID(t *testing.T, scope, domain string) string {
	t.Helper()
	target, err := world.Target(scope, domain)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(target, "."+world.Zone)
}

func TestIssue(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "follow", Follow: true})
	createIssuer(t, world.IssuerOptions{Name: "none"})
	createIssuer(t, world.IssuerOptions{Name: "follow", Namespace: "team-a", Follow: true})
	createIssuer(t, world.IssuerOptions{Name: "none", Namespace: "team-a"})
	t.Run("group", func(t *testing.T) {
		for name, tc := range map[string]struct {
			zone, domain, scope string
			namespace           string
			kind, issuer        string
			dnsNames            []string
		}{
			"wildcard alone":         {"example.com", "example.com", "cert-manager", "web", "ClusterIssuer", "none", []string{"*.example.com"}},
			"name and wildcard":      {"example-two.com", "example-two.com", "cert-manager", "web", "ClusterIssuer", "follow", []string{"example-two.com", "*.example-two.com"}},
			"deep name":              {"example.com", "a.b.c.d.example.com", "cert-manager", "web", "ClusterIssuer", "follow", []string{"*.a.b.c.d.example.com"}},
			"internationalised name": {"xn--bcher-kva.com", "bücher.com", "cert-manager", "web", "ClusterIssuer", "none", []string{"xn--bcher-kva.com", "*.xn--bcher-kva.com"}},
			"namespaced, follow":     {"example.com", "one.example.com", "team-a", "team-a", "Issuer", "follow", []string{"one.example.com", "*.one.example.com"}},
			"namespaced, none":       {"example.com", "two.example.com", "team-a", "team-a", "Issuer", "none", []string{"two.example.com", "*.two.example.com"}},
		} {
			t.Run(name, func(t *testing.T) {
				target, err := world.Target(tc.scope, tc.domain)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Parent.SetCNAME(t.Context(), tc.zone, strings.TrimPrefix(tc.dnsNames[0], "*."), target); err != nil {
					t.Fatal(err)
				}
				t.Parallel()
				issue(t, tc.namespace, strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", ""), tc.kind, tc.issuer, tc.dnsNames...)
			})
		}
	})
	leavesNothing(t)
}

// With cert-manager's default self-check it works as well; that takes a minute,
// which is cert-manager's own.
func TestIssueWithSelfCheck(t *testing.T) {
	// The tests that wait for this minute do so together, after the others.
	t.Parallel()
	createIssuer(t, world.IssuerOptions{Name: "self-check", SelfCheck: true})
	setCNAME(t, "example.com", "self-check.example.com", "cert-manager")
	issue(t, "web", "self-check", "ClusterIssuer", "self-check", "*.self-check.example.com")
	leavesNothingOf(t, world.CertManagerNamespace, "self-check.example.com")
}

// A renewal needs nothing in DNS to be touched.
func TestRenewal(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "renewal"})
	setCNAME(t, "example.com", "renewal.example.com", "cert-manager")
	names := []string{"renewal.example.com", "*.renewal.example.com"}
	first := issue(t, "web", "renewal", "ClusterIssuer", "renewal", names...)

	renew(t, "web", "renewal")
	renewed(t, "web", "renewal", first)
	waitReady(t, "web", "renewal", names...)
	leavesNothing(t)
}

// renew makes cert-manager issue a certificate again, as "cmctl renew" does.
func renew(t *testing.T, namespace, name string) {
	t.Helper()
	certificates := w.CM.CertmanagerV1().Certificates(namespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error { // cert-manager writes there too
		c, err := certificates.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now := metav1.Now()
		c.Status.Conditions = append(c.Status.Conditions, cmv1.CertificateCondition{
			Type: cmv1.CertificateConditionIssuing, Status: cmmeta.ConditionTrue, Reason: "ManuallyTriggered",
			Message: "renewal forced by the test", LastTransitionTime: &now, ObservedGeneration: c.Generation,
		})
		_, err = certificates.UpdateStatus(t.Context(), c, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// renewed waits until the Secret has another certificate than before.
func renewed(t *testing.T, namespace, name string, before *x509.Certificate) {
	t.Helper()
	poll.Until(t, issuing, "there is a new certificate", func() error {
		second, err := w.Leaf(t.Context(), namespace, name)
		if err == nil && second.SerialNumber.Cmp(before.SerialNumber) == 0 {
			err = errors.New("it is the first one\n" + w.Explain(namespace))
		}
		return err
	})
}

func TestTenAtOnce(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "ten", Follow: true})
	begin := time.Now()
	for i := range 10 {
		name := fmt.Sprintf("ten-%d", i)
		setCNAME(t, "example.com", name+".example.com", "cert-manager")
		createCertificate(t, "web", name, "ClusterIssuer", "ten", name+".example.com", "*."+name+".example.com")
	}
	for i := range 10 {
		name := fmt.Sprintf("ten-%d", i)
		waitReady(t, "web", name, name+".example.com", "*."+name+".example.com")
	}
	t.Logf("ten certificates Ready after %.1f s", time.Since(begin).Seconds())
	leavesNothing(t)
}
