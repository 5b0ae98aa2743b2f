package gate

import (
	"context"
	"fmt"
	"log/slog"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/json"

	"github.com/signpost-acme/signpost/internal/cluster"
)

// Cluster is what the gate needs to know of the cluster. See cluster.Cluster.
type Cluster interface {
	// Order returns what an Order wants; it depends on the Order and the Issuers alone.
	Order(o *acmev1.Order) cluster.Wanted
}

// Gate decides on Orders. Its methods may be called from many goroutines.
type Gate struct {
	Others *Looks // see NewOthers; needed where Orders have cluster.Wanted.Others

	cluster Cluster
	looks   *Looks
	creator string // user name of cert-manager's controller
	log     *slog.Logger
	metrics metrics
	slots   chan struct{} // one for each review under way
}

// New returns a gate. creator is the one user, as the API server names it, who may
// create Orders for protected Issuers: cert-manager's controller.
func New(c Cluster, looks *Looks, creator string, log *slog.Logger) *Gate {
	return &Gate{cluster: c, looks: looks, creator: creator, log: log, metrics: newMetrics(), slots: make(chan struct{}, maxReviews)}
}

// verdict is what a review says; the text is stable from one try to the next.
type verdict struct {
	allowed bool
	text    string // why not
	result  string // for the metric: allowed, denied, ignored
}

var passed = verdict{allowed: true, result: resultIgnored}

func denied(format string, args ...any) verdict {
	return verdict{text: clip(fmt.Sprintf(format, args...)), result: resultDenied}
}

// Review decides on one request of the API server. It starts no look and waits
// for nothing but, briefly, for what other replicas have seen.
func (g *Gate) Review(ctx context.Context, r *admissionv1.AdmissionRequest) (allowed bool, text string) {
	v := g.review(ctx, r)
	g.metrics.reviews.WithLabelValues(v.result).Inc()
	return v.allowed, v.text
}

func (g *Gate) review(ctx context.Context, r *admissionv1.AdmissionRequest) verdict {
	if r.Resource.Group != acmev1.SchemeGroupVersion.Group || r.Resource.Resource != "orders" || r.SubResource != "" {
		return passed
	}
	var before *acmev1.Order
	switch r.Operation {
	default: // nothing keeps an Order from being deleted
		return passed
	case admissionv1.Create:
	case admissionv1.Update:
		var err error
		if before, err = order(r, r.OldObject.Raw); err != nil {
			return denied("the Order cannot be read: what it was before is not an Order of %s", acmev1.SchemeGroupVersion)
		}
	}
	now, err := order(r, r.Object.Raw)
	switch {
	case err != nil:
		return denied("the Order cannot be read: it is not an Order of %s", acmev1.SchemeGroupVersion)
	case before != nil:
		return g.update(ctx, before, now)
	}
	return g.create(ctx, now, r.UserInfo.Username)
}

// order reads an Order as the API server does: the case of its fields' names counts.
func order(r *admissionv1.AdmissionRequest, raw []byte) (*acmev1.Order, error) {
	var o acmev1.Order
	if err := json.UnmarshalCaseSensitivePreserveInts(raw, &o); err != nil {
		return nil, err
	}
	o.Namespace = r.Namespace
	return &o, nil
}

func (g *Gate) create(ctx context.Context, o *acmev1.Order, user string) verdict {
	w := g.cluster.Order(o)
	if w.Protected && user != g.creator {
		return denied("Orders for %s, whose certificates Signpost guards, are created by cert-manager alone; make a Certificate or a CertificateRequest", w.Issuer)
	}
	return g.decide(ctx, o, w)
}

// update decides on a change. The spec of an Order can be changed, and with it the
// names and the Issuer; cert-manager never does that.
func (g *Gate) update(ctx context.Context, before, now *acmev1.Order) verdict {
	if equality.Semantic.DeepEqual(before.Spec, now.Spec) && equality.Semantic.DeepEqual(before.Labels, now.Labels) {
		return passed
	}
	was, is := g.cluster.Order(before), g.cluster.Order(now)
	for _, w := range []cluster.Wanted{was, is} {
		if w.Protected {
			return denied("an Order for %s, whose certificates Signpost guards, cannot be changed; make another Certificate or CertificateRequest", w.Issuer)
		}
	}
	return g.decide(ctx, now, is)
}

func (g *Gate) decide(ctx context.Context, o *acmev1.Order, w cluster.Wanted) verdict {
	switch {
	case w.Refused != "":
	case !w.Ours():
		return passed
	case g.looks.Fresh(ctx, w.Targets) && g.Others.Fresh(ctx, w.Others):
		g.log.Debug("an Order is let through", "namespace", o.Namespace, "order", o.Name, "issuer", w.Issuer.String())
		return verdict{allowed: true, result: resultAllowed}
	}
	g.log.Debug("an Order is denied", "namespace", o.Namespace, "order", o.Name, "issuer", w.Issuer.String())
	return verdict{text: denial(w), result: resultDenied}
}
