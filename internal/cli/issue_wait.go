package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	lookInterval  = 300 * time.Millisecond // at the cluster
	cnameInterval = 3 * time.Second        // at the DNS
)

// wait reports what happens until the Certificate is Ready. It returns an error
// if it cannot go on, or ctx's.
func (i *issuing) wait(ctx context.Context) error {
	w := &waiter{issuing: i, said: map[string]bool{}, cname: map[string]check.Finding{}}
	for {
		ready, err := w.look(ctx)
		if err != nil && ctx.Err() == nil && !temporary(err) {
			return err
		}
		if ready {
			i.progress.step("the certificate is Ready")
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookInterval):
		}
	}
}

// waiter remembers what has been said.
type waiter struct {
	*issuing
	said      map[string]bool
	cname     map[string]check.Finding // by domain
	nextCNAME time.Time
}

// once says something that has happened, once.
func (w *waiter) once(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !w.said[text] {
		w.said[text] = true
		w.progress.step("%s", text)
	}
}

// look looks at everything once.
func (w *waiter) look(ctx context.Context) (ready bool, err error) {
	namespace := w.certificate.Namespace
	c, err := w.client.CM.CertmanagerV1().Certificates(namespace).Get(ctx, w.certificate.Name, metav1.GetOptions{})
	if err != nil {
		return false, cluster.Explain(err, "reading Certificate "+w.certificate.Name)
	}
	ready = cluster.IsReady(c)
	if ready {
		w.nextCNAME = time.Time{} // it may have been quicker than our looking
	}
	w.lookUp(ctx)
	if ready {
		return true, nil
	}
	if denial := w.denial(ctx, c); denial != "" {
		w.progress.wait(denial)
		return false, nil
	}
	challenges, err := w.client.CM.AcmeV1().Challenges(namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		w.progress.wait("the certificate to be Ready (you may not read its Challenges)")
		return false, nil
	}
	if err != nil {
		return false, cluster.Explain(err, "reading Challenges")
	}
	waiting := "cert-manager to order the certificate at the CA"
	for _, ch := range challenges.Items {
		if slices.ContainsFunc(c.Spec.DNSNames, func(name string) bool { return strings.TrimPrefix(name, "*.") == ch.Spec.DNSName }) && ch.Spec.IssuerRef.Name == c.Spec.IssuerRef.Name {
			waiting = w.challenge(ctx, ch)
		}
	}
	if missing := w.missing(); missing != "" {
		waiting = missing
	}
	w.progress.wait(waiting)
	return false, nil
}

// denial says what the request of a Certificate waits for at the gate; empty if it
// does not. People who may not read requests see what is missing all the same.
func (w *waiter) denial(ctx context.Context, c *cmv1.Certificate) string {
	reason, err := w.client.Denied(ctx, c)
	if err != nil || reason == "" {
		return ""
	}
	w.once("the request waits at the gate: no Order is made before the records are there")
	missing := w.missing()
	switch {
	case missing != "":
		return missing
	case len(w.targets) > 0 && w.seen():
		return "cert-manager to try again, now that the records are seen; what it heard last: " + reason
	}
	return reason
}

// seen reports whether all records are.
func (w *waiter) seen() bool {
	return !slices.ContainsFunc(w.targets, func(t zone.Target) bool { return !w.cname[t.Domain].Permits() })
}

// lookUp looks up the CNAMEs, now and then, until they have been seen.
func (w *waiter) lookUp(ctx context.Context) {
	if time.Now().Before(w.nextCNAME) {
		return
	}
	w.nextCNAME = time.Now().Add(cnameInterval)
	for _, t := range w.targets {
		if w.cname[t.Domain].Permits() {
			continue
		}
		r := w.checker.CNAME(ctx, t.Scope, t.Domain)
		if w.cname[t.Domain] = r; r.Permits() {
			w.once("the record %s is seen", t.Challenge)
		}
	}
}

// missing returns what is to be done about the first record that is not seen.
func (w *waiter) missing() string {
	for _, t := range w.targets {
		if r := w.cname[t.Domain]; !r.Permits() && r.Hint != "" {
			return r.Hint
		}
	}
	return ""
}

// challenge says how far a Challenge has come, and returns what it waits for.
func (w *waiter) challenge(ctx context.Context, ch acmev1.Challenge) string {
	name := ch.Spec.DNSName
	if ch.Spec.Wildcard {
		name = "*." + name
	}
	if ours := slices.ContainsFunc(w.targets, func(t zone.Target) bool { return t.Domain == ch.Spec.DNSName }); ours && (ch.Status.Presented || ch.Status.State == acmev1.Valid) {
		w.once("the challenge for %s is presented: every DNS server of Signpost answers with it", name)
	}
	switch {
	case ch.Status.State == acmev1.Valid:
		w.once("the CA has validated %s", name)
		return "the CA to issue the certificate"
	case ch.Status.State == acmev1.Invalid || ch.Status.State == acmev1.Errored:
		return fmt.Sprintf("cert-manager to try again: the CA refused %s: %s", name, ch.Status.Reason)
	case ch.Status.Presented:
		return fmt.Sprintf("the CA to validate %s", name) + w.asked(ctx, ch)
	case ch.Status.Reason != "":
		return ch.Status.Reason
	}
	if asked := w.asked(ctx, ch); asked != "" { // cert-manager notes that it is presented only after its self-check
		return fmt.Sprintf("cert-manager's self-check of %s, which takes a minute", name) + asked
	}
	return fmt.Sprintf("the challenge for %s to be presented", name)
}

// asked says how often the record was asked for, if it was, and where that can be
// found out.
func (w *waiter) asked(ctx context.Context, ch acmev1.Challenge) string {
	n, err := w.client.Asked(ctx, ch.Namespace, ch.Name, ch.Spec.DNSName)
	if err != nil || n == 0 {
		return ""
	}
	return fmt.Sprintf(" (it was asked for %d times so far)", n)
}
