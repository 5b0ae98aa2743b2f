package gate

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

const certManager = "system:serviceaccount:cert-manager:cert-manager"

// issuers is a cluster in which an Order's Issuer says by its name what it wants.
func issuers(t *testing.T) *fakeCluster {
	c := newFakeCluster()
	c.wanted = func(o *acmev1.Order) cluster.Wanted {
		name := o.Spec.IssuerRef.Name
		w := cluster.Wanted{Issuer: cluster.IssuerRef{Kind: "ClusterIssuer", Name: name}, Protected: strings.HasPrefix(name, "protected")}
		switch {
		case strings.Contains(name, "refused"):
			w.Refused = "It can never be let through."
		case strings.Contains(name, "ours"), o.Labels["dns"] == "signpost":
			for _, n := range o.Spec.DNSNames {
				w.Targets = append(w.Targets, target(t, o.Namespace, n))
			}
		}
		return w
	}
	return c
}

func asJSON(t *testing.T, o any) runtime.RawExtension {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: text}
}

func orderFor(issuer string, names ...string) *acmev1.Order {
	o := &acmev1.Order{ObjectMeta: metav1.ObjectMeta{Name: "o", Namespace: "somewhere-else"}} // the request's counts
	o.Spec.IssuerRef.Name, o.Spec.DNSNames = issuer, names
	return o
}

// admission is a request of the API server.
func admission(t *testing.T, operation admissionv1.Operation, before, now *acmev1.Order) *admissionv1.AdmissionRequest {
	t.Helper()
	r := &admissionv1.AdmissionRequest{
		UID: "1", Operation: operation, Namespace: "web", UserInfo: authenticationv1.UserInfo{Username: certManager},
		Resource: metav1.GroupVersionResource{Group: "acme.cert-manager.io", Version: "v1", Resource: "orders"},
	}
	if before != nil {
		r.OldObject = asJSON(t, before)
	}
	if now != nil {
		r.Object = asJSON(t, now)
	}
	return r
}

// TestReview: every kind of request. The records of seen.example.com have just been
// seen for namespace web, and no other.
func TestReview(t *testing.T) {
	create := func(o *acmev1.Order) *admissionv1.AdmissionRequest { return admission(t, "CREATE", nil, o) }
	update := func(before, now *acmev1.Order) *admissionv1.AdmissionRequest {
		return admission(t, "UPDATE", before, now)
	}
	with := func(r *admissionv1.AdmissionRequest, change func(*admissionv1.AdmissionRequest)) *admissionv1.AdmissionRequest {
		change(r)
		return r
	}
	labelled := func(o *acmev1.Order, value string) *acmev1.Order {
		o.Labels = map[string]string{"dns": value}
		return o
	}
	annotated := func(o *acmev1.Order) *acmev1.Order {
		o.Annotations, o.Finalizers, o.OwnerReferences = map[string]string{"a": "b"}, nil, []metav1.OwnerReference{{Name: "x"}}
		return o
	}
	profile := func(o *acmev1.Order) *acmev1.Order { o.Spec.Profile = "x"; return o }
	by := func(user string) func(*admissionv1.AdmissionRequest) {
		return func(r *admissionv1.AdmissionRequest) { r.UserInfo.Username = user }
	}
	raw := func(text string) func(*admissionv1.AdmissionRequest) {
		return func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(text) }
	}
	const seen, unseen = "seen.example.com", "unseen.example.com"
	for _, tc := range []struct {
		name    string
		request *admissionv1.AdmissionRequest
		text    string // part of it; empty if the Order is let through
		result  string
	}{
		{"nothing to do with us", create(orderFor("others", unseen)), "", resultIgnored},
		{"seen", create(orderFor("ours", seen)), "", resultAllowed},
		{"unseen", create(orderFor("ours", unseen)), "_acme-challenge.unseen.example.com CNAME ", resultDenied},
		{"one of two unseen", create(orderFor("ours", seen, unseen)), "_acme-challenge.seen.example.com CNAME ", resultDenied},
		{"seen for another namespace", with(create(orderFor("ours", seen)), func(r *admissionv1.AdmissionRequest) { r.Namespace = "thief" }), "for namespace thief", resultDenied},
		{"refused", create(orderFor("refused", seen)), "can never be let through", resultDenied},
		{"protected, seen", create(orderFor("protected-ours", seen)), "", resultAllowed},
		{"protected, unseen", create(orderFor("protected-ours", unseen)), "_acme-challenge.unseen", resultDenied},
		{"protected, no name of ours", create(orderFor("protected")), "", resultAllowed},
		{"protected, by somebody", with(create(orderFor("protected-ours", seen)), by("mallory")), "are created by cert-manager alone", resultDenied},
		{"protected, no name of ours, by somebody", with(create(orderFor("protected")), by("mallory")), "are created by cert-manager alone", resultDenied},
		{"protected and refused, by somebody", with(create(orderFor("protected-refused")), by("mallory")), "are created by cert-manager alone", resultDenied},
		{"protected, by nobody", with(create(orderFor("protected-ours", seen)), by("")), "are created by cert-manager alone", resultDenied},
		{"protected, by cert-manager of another namespace", with(create(orderFor("protected-ours", seen)), by("system:serviceaccount:mallory:cert-manager")), "are created by cert-manager alone", resultDenied},
		{"unprotected, by somebody, seen", with(create(orderFor("ours", seen)), by("mallory")), "", resultAllowed},

		{"update of nothing", update(orderFor("protected-ours", unseen), orderFor("protected-ours", unseen)), "", resultIgnored},
		{"update of metadata alone", update(orderFor("protected-ours", unseen), annotated(orderFor("protected-ours", unseen))), "", resultIgnored},
		{"update of names", update(orderFor("others", seen), orderFor("ours", unseen)), "_acme-challenge.unseen", resultDenied},
		{"update to names that are seen", update(orderFor("others", unseen), orderFor("ours", seen)), "", resultAllowed},
		{"update to a protected Issuer", update(orderFor("others", seen), orderFor("protected-ours", seen)), "cannot be changed", resultDenied},
		{"update from a protected Issuer", update(orderFor("protected-ours", seen), orderFor("others", seen)), "cannot be changed", resultDenied},
		{"update of the profile of a protected one", update(orderFor("protected-ours", seen), profile(orderFor("protected-ours", seen))), "cannot be changed", resultDenied},
		{"update of a label, so that we are selected", update(labelled(orderFor("others", unseen), "x"), labelled(orderFor("others", unseen), "signpost")), "_acme-challenge.unseen", resultDenied},
		{"update of a label of a protected one", update(orderFor("protected-ours", seen), labelled(orderFor("protected-ours", seen), "x")), "cannot be changed", resultDenied},
		{"update of a label that selects others", update(orderFor("others", seen), labelled(orderFor("others", seen), "x")), "", resultIgnored},
		{"update, what it was is garbage", with(update(nil, orderFor("ours", seen)), func(r *admissionv1.AdmissionRequest) { r.OldObject.Raw = []byte("{") }), "what it was before is not an Order", resultDenied},
		{"update, what it was is missing", update(nil, orderFor("ours", seen)), "what it was before is not an Order", resultDenied},

		{"garbage", with(create(nil), raw("{")), "it is not an Order", resultDenied},
		{"no object", create(nil), "it is not an Order", resultDenied},
		{"names of the wrong type", with(create(nil), raw(`{"spec":{"dnsNames":"x"}}`)), "it is not an Order", resultDenied},
		{"null", with(create(nil), raw("null")), "", resultIgnored},
		{"an array", with(create(nil), raw("[]")), "it is not an Order", resultDenied},
		{"field names in other letters are other fields", with(create(nil), raw(`{"spec":{"issuerRef":{"name":"ours"},"dnsNames":["unseen.example.com"],"DNSNAMES":["seen.example.com"]}}`)), "_acme-challenge.unseen", resultDenied},

		{"deletion", with(admission(t, "DELETE", orderFor("protected-ours", unseen), nil), by("mallory")), "", resultIgnored},
		{"connect", admission(t, "CONNECT", nil, nil), "", resultIgnored},
		{"a sub-resource", with(update(orderFor("ours", seen), orderFor("protected-ours", unseen)), func(r *admissionv1.AdmissionRequest) { r.SubResource = "status" }), "", resultIgnored},
		{"another resource", with(create(orderFor("ours", unseen)), func(r *admissionv1.AdmissionRequest) { r.Resource.Resource = "challenges" }), "", resultIgnored},
		{"another group", with(create(orderFor("ours", unseen)), func(r *admissionv1.AdmissionRequest) { r.Resource.Group = "example.com" }), "", resultIgnored},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dns := &fakeDNS{}
				looks := NewLooks(dns.look, &fakeShared{})
				looks.Now(t.Context(), target(t, "web", seen))
				g := New(issuers(t), looks, certManager, discard)
				allowed, text := g.Review(t.Context(), tc.request)
				if allowed != (tc.text == "") || !strings.Contains(text, tc.text) || allowed && text != "" || len(text) > maxText {
					t.Errorf("%v, %q; want %q", allowed, text, tc.text)
				}
				if n := testutil.ToFloat64(g.metrics.reviews.WithLabelValues(tc.result)); n != 1 {
					t.Errorf("the metric does not count it as %s", tc.result)
				}
				if dns.count() != 1 {
					t.Error("a review has started a look")
				}
				if again, same := g.Review(t.Context(), tc.request); again != allowed || same != text {
					t.Errorf("the second time: %v, %q", again, same)
				}
			})
		})
	}
}

// Time passes, and with it the permission.
func TestReviewForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := NewLooks((&fakeDNS{}).look, &fakeShared{})
		g := New(issuers(t), looks, certManager, discard)
		looks.Now(t.Context(), target(t, "web", "seen.example.com"))
		time.Sleep(fresh)
		if allowed, _ := g.Review(t.Context(), admission(t, "CREATE", nil, orderFor("ours", "seen.example.com"))); allowed {
			t.Error("what was seen five seconds ago lets an Order through")
		}
	})
}

// TestDenial: the text is a function of what the Order wants, however it is spelled
// and of no look; it is at most 1 KB and one line.
func TestDenial(t *testing.T) {
	wanted := func(n int) cluster.Wanted { return cluster.Wanted{Targets: targets(t, n)} }
	long := strings.Repeat("a", 60) + "."
	for name, w := range map[string]cluster.Wanted{
		"one":       wanted(1),
		"two":       wanted(2),
		"a hundred": wanted(100),
		"long names": {Targets: []zone.Target{
			target(t, strings.Repeat("n", 63), strings.Repeat(long, 3)+"a.example.com"), target(t, strings.Repeat("n", 63), strings.Repeat(long, 3)+"b.example.com"),
		}},
		"long sentence":  {Refused: strings.Repeat("ü", 2000)},
		"control":        {Refused: "domain \x00\n\x1b[31m\u202e\u2028\x7f\u0085: no"},
		"not in UTF-8":   {Refused: "\xff\xfe" + strings.Repeat("x", 1200)},
		"just too long":  {Refused: strings.Repeat("x", maxText+1)},
		"just fits":      {Refused: strings.Repeat("x", maxText)},
		"refused anyway": {Refused: "It cannot be.", Targets: targets(t, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			text := denial(w)
			if text != denial(w) || len(text) > maxText || text == "" {
				t.Errorf("%d octets: %q", len(text), text)
			}
			for _, r := range text {
				if !unicode.IsPrint(r) {
					t.Errorf("%q in %q", r, text)
				}
			}
			switch {
			case w.Refused != "":
			case !strings.Contains(text, w.Targets[0].Challenge+" CNAME "+w.Targets[0].Name):
				t.Errorf("not even the first record: %q", text)
			case strings.Contains(text, "more: see signpost records --scope") != (len(w.Targets) > strings.Count(text, " CNAME ")):
				t.Errorf("the records do not add up: %q", text)
			}
		})
	}
	if got := denial(wanted(100)); !strings.Contains(got, "; and 9") || !strings.Contains(got, " more: see signpost records --scope web. cert-manager retries within seconds") {
		t.Errorf("a hundred: %q", got)
	}
}

// What cert-manager writes must not vary: a reviewer that sees something else each
// time says the same all the same.
func TestDenialDoesNotVary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{}
		looks := NewLooks(dns.look, &fakeShared{})
		g := New(issuers(t), looks, certManager, discard)
		texts := map[string]bool{}
		for i := range 50 {
			dns.say([]check.Finding{missing, silent, missing}[i%3])
			looks.Now(t.Context(), target(t, "web", "a.example.com"))
			time.Sleep(time.Second)
			_, text := g.Review(t.Context(), admission(t, "CREATE", nil, orderFor("ours", "a.example.com", "b.example.com")))
			texts[text] = true
		}
		if len(texts) != 1 {
			t.Errorf("%d texts: %v", len(texts), texts)
		}
	})
}
