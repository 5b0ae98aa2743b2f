package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

const namespace = "default"

// newIssuer makes a ClusterIssuer and waits until it has its account at the CA.
func newIssuer(ctx context.Context, w *world.World, n *Narrator, o world.IssuerOptions) error {
	if err := w.CreateIssuer(ctx, o); err != nil {
		return err
	}
	if err := w.Condition(ctx, "cert-manager.io/v1", "ClusterIssuer", o.Name, "Ready"); err != nil {
		return err
	}
	n.Step("applied the ClusterIssuer %s; it has its account at the CA", o.Name)
	return nil
}

// Issue makes a Certificate, reports what happens until it is Ready, shows it,
// and returns how long that took.
func Issue(ctx context.Context, w *world.World, n *Narrator, name, issuer string, dnsNames ...string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	begin := time.Now()
	if err := w.CreateCertificate(ctx, namespace, name, "ClusterIssuer", issuer, dnsNames...); err != nil {
		return 0, err
	}
	n.Step("applied the Certificate for %s", strings.Join(dnsNames, " and "))
	before := w.Presenting().Total
	watching, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { watch(watching, w, n, name); close(done) }()
	leaf, err := w.WaitReady(ctx, namespace, name)
	took := time.Since(begin)
	stop()
	<-done
	after := w.Presenting().Total
	if err != nil {
		return 0, err
	}
	ours := "" // only processes tell
	if after > before {
		ours = fmt.Sprintf(": Signpost needed %.0f ms of that, the rest is cert-manager and the CA waiting for each other", float64(after-before)/float64(time.Millisecond))
	}
	n.Step("Ready, %.1f s after it was applied%s", took.Seconds(), ours)
	n.Code(
		fmt.Sprintf("names    %s", strings.Join(leaf.DNSNames, ", ")),
		fmt.Sprintf("issuer   %s", leaf.Issuer.CommonName),
		fmt.Sprintf("valid    until %s", leaf.NotAfter.Format(time.DateOnly)),
		fmt.Sprintf("secret   %s/%s", namespace, name))
	return took, nil
}

// watch reports what becomes of a Certificate's request, Order and Challenges until
// ctx is done.
func watch(ctx context.Context, w *world.World, n *Narrator, certificate string) {
	said := map[string]bool{}
	once := func(key, format string, args ...any) {
		if !said[key] {
			said[key] = true
			n.Step(format, args...)
		}
	}
	for ctx.Err() == nil {
		gate(ctx, w, certificate, once)
		challenges, _ := w.Challenges(ctx, namespace)
		for _, c := range challenges {
			name := c.Spec.DNSName
			if c.Spec.Wildcard {
				name = "*." + name
			}
			once(name, "the CA wants a proof for %s", name)
			if c.Status.Presented || c.Status.State == acmev1.Valid { // the moment between may be too short to be seen
				once(name+"presented", "Signpost has presented it for %s: both DNS servers answer with the value", name)
			}
			if c.Status.State == acmev1.Valid {
				once(name+"valid", "the CA has asked our DNS servers, and is satisfied: %s is valid", name)
			}
			if c.Status.Reason != "" && c.Status.State != acmev1.Valid {
				once(name+c.Status.Reason, "cert-manager: %s", c.Status.Reason)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// gate reports what the gate has decided on the Order for a Certificate.
func gate(ctx context.Context, w *world.World, certificate string, once func(key, format string, args ...any)) {
	requests, err := w.CM.CertmanagerV1().CertificateRequests(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, r := range requests.Items {
		if r.Annotations[cmv1.CertificateNameKey] != certificate {
			continue
		}
		for _, condition := range r.Status.Conditions {
			if _, text, denied := strings.Cut(condition.Message, "denied the request: "); denied {
				once(r.Name+text, "the gate does not let cert-manager create an Order yet: %s", text)
			}
		}
	}
	orders, err := w.CM.AcmeV1().Orders(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, o := range orders.Items {
		if o.Annotations[cmv1.CertificateNameKey] == certificate {
			once(o.Name, "Signpost has seen the CNAME at the domain's own DNS servers, so its gate lets cert-manager create the Order")
		}
	}
}
