package main

import (
	"context"
	"slices"
	"sync"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

// timeline is when what happened to one certificate; zero for not yet.
type timeline struct {
	applied, challenge, presented, valid, ready time.Time
}

// recorder watches the Challenges and Certificates of one namespace.
type recorder struct {
	mu       sync.Mutex
	byDomain map[string]*timeline
	byName   map[string]*timeline
	domains  map[string]string // of the Challenges
	left     int
	done     context.Context // when all are Ready, or time is up
	finish   context.CancelFunc
}

// newRecorder watches until count Certificates are Ready, or ctx is done.
func newRecorder(ctx context.Context, w *world.World, namespace string, count int) (*recorder, error) {
	r := &recorder{byDomain: map[string]*timeline{}, byName: map[string]*timeline{}, domains: map[string]string{}, left: count}
	r.done, r.finish = context.WithCancel(ctx)
	challenges, err := w.CM.AcmeV1().Challenges(namespace).Watch(r.done, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	certificates, err := w.CM.CertmanagerV1().Certificates(namespace).Watch(r.done, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	events, err := w.Kube.CoreV1().Events(namespace).Watch(r.done, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	go func() {
		for e := range events.ResultChan() {
			if e, ok := e.Object.(*corev1.Event); ok {
				r.sawEvent(e)
			}
		}
	}()
	go func() {
		for e := range challenges.ResultChan() {
			if c, ok := e.Object.(*acmev1.Challenge); ok {
				r.sawChallenge(c)
			}
		}
	}()
	go func() {
		for e := range certificates.ResultChan() {
			if c, ok := e.Object.(*cmv1.Certificate); ok {
				r.sawCertificate(c)
			}
		}
	}()
	return r, nil
}

func (r *recorder) applied(name, domain string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &timeline{applied: time.Now()}
	r.byName[name], r.byDomain[domain] = t, t
}

func (r *recorder) sawChallenge(c *acmev1.Challenge) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.byDomain[c.Spec.DNSName]
	if t == nil {
		return
	}
	r.domains[c.Name] = c.Spec.DNSName
	first(&t.challenge, true)
	first(&t.valid, c.Status.State == acmev1.Valid)
}

// sawEvent notes when cert-manager has presented a Challenge: its status says so
// only after the self-check.
func (r *recorder) sawEvent(e *corev1.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.byDomain[r.domains[e.InvolvedObject.Name]]; t != nil {
		first(&t.presented, e.Reason == "Presented")
	}
}

func (r *recorder) sawCertificate(c *cmv1.Certificate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.byName[c.Name]
	if t == nil || !t.ready.IsZero() {
		return
	}
	for _, condition := range c.Status.Conditions {
		first(&t.ready, condition.Type == cmv1.CertificateConditionReady && condition.Status == cmmeta.ConditionTrue)
	}
	if !t.ready.IsZero() {
		if r.left--; r.left == 0 {
			r.finish()
		}
	}
}

// first notes the time if this is the first time that something happened.
func first(t *time.Time, happened bool) {
	if happened && t.IsZero() {
		*t = time.Now()
	}
}

// wait returns when all are Ready, or time is up.
func (r *recorder) wait() { <-r.done.Done() }

func (r *recorder) timelines() (all []timeline) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.byName {
		all = append(all, *t)
	}
	return all
}

// steps are all moments that a timeline has.
func steps(t timeline) []time.Time {
	return []time.Time{t.applied, t.challenge, t.presented, t.valid, t.ready}
}

// stepsSeen are those of them that objects tell: events come late when there are many.
func stepsSeen(t timeline) []time.Time {
	return []time.Time{t.applied, t.challenge, t.valid, t.ready}
}

// medians returns the medians of the steps between some moments, of the certificates that
// have all of them.
func medians(all []timeline, moments func(timeline) []time.Time) []time.Duration {
	values := make([][]time.Duration, len(moments(timeline{}))-1)
	for _, t := range all {
		at := moments(t)
		if slices.ContainsFunc(at, time.Time.IsZero) {
			continue
		}
		for i := range values {
			values[i] = append(values[i], at[i+1].Sub(at[i]))
		}
	}
	out := make([]time.Duration, len(values))
	for i, v := range values {
		if len(v) > 0 {
			slices.Sort(v)
			out[i] = v[len(v)/2]
		}
	}
	return out
}
