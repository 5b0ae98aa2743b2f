package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	admregv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const gateKey = "ValidatingWebhookConfiguration/signpost-order-gate"

// gateSets are two protected ClusterIssuers, the chart's own one of them, and an Issuer.
var gateSets = []string{
	"issuer.email=me@example.com",
	"orderGate.issuers[0].kind=ClusterIssuer", "orderGate.issuers[0].name=shared",
	"orderGate.issuers[1].kind=Issuer", "orderGate.issuers[1].name=acme", "orderGate.issuers[1].namespace=team-a",
}

// What can be seen of the gate without an API server.
func TestGate(t *testing.T) {
	r := must(t, append(gateSets, "orderGate.timeoutSeconds=7", "fullnameOverride=other")...)
	gate := get[*admregv1.ValidatingWebhookConfiguration](t, r, "ValidatingWebhookConfiguration/other-order-gate")
	if gate.Annotations["cert-manager.io/inject-ca-from"] != "dns/other-tls" || !r.has("Certificate/other-tls") {
		t.Errorf("annotations %v", gate.Annotations)
	}
	if gate.Labels["admissions.enforcer/disabled"] != "true" {
		t.Errorf("labels %v", gate.Labels)
	}
	if name := env(t, must(t, gateSets...))["SIGNPOST_GATE_CONFIGURATION"].Value; "ValidatingWebhookConfiguration/"+name != gateKey {
		t.Errorf("Signpost is told %q", name)
	}
	if len(gate.Webhooks) != 2 || *gate.Webhooks[0].FailurePolicy != admregv1.Fail || *gate.Webhooks[1].FailurePolicy != admregv1.Ignore {
		t.Fatalf("%+v", gate.Webhooks)
	}
	for _, w := range gate.Webhooks {
		s := w.ClientConfig.Service
		if s == nil || s.Name != "other" || s.Namespace != "dns" || *s.Port != 443 || *s.Path != "/order-gate" {
			t.Errorf("%s calls %+v", w.Name, w.ClientConfig)
		}
		if *w.TimeoutSeconds != 7 || *w.SideEffects != admregv1.SideEffectClassNone || *w.MatchPolicy != admregv1.Equivalent || w.NamespaceSelector != nil || w.ObjectSelector != nil {
			t.Errorf("%+v", w)
		}
		rule := w.Rules[0]
		if len(w.Rules) != 1 || !slices.Equal(rule.Operations, []admregv1.OperationType{"CREATE", "UPDATE"}) || !slices.Equal(rule.Resources, []string{"orders"}) ||
			!slices.Equal(rule.APIGroups, []string{"acme.cert-manager.io"}) || !slices.Equal(rule.APIVersions, []string{"v1"}) {
			t.Errorf("%+v", w.Rules)
		}
	}
	protected, others := gate.Webhooks[0].MatchConditions, gate.Webhooks[1].MatchConditions
	if len(protected) != 2 || len(others) != 2 || protected[0] != others[0] || others[1].Expression != "!("+protected[1].Expression+")" {
		t.Errorf("the second entry is not the literal negation of the first:\n%+v\n%+v", protected, others)
	}
	if strings.Contains(protected[1].Expression, "group") {
		t.Errorf("cert-manager does not look at an issuerRef's group:\n%s", protected[1].Expression)
	}
	// Nothing is protected where there is no Issuer to protect.
	if gate := get[*admregv1.ValidatingWebhookConfiguration](t, must(t), gateKey); len(gate.Webhooks) != 1 || *gate.Webhooks[0].FailurePolicy != admregv1.Ignore {
		t.Errorf("%+v", gate.Webhooks)
	}
	if must(t, "orderGate.enabled=false").has(gateKey) {
		t.Error("orderGate.enabled=false makes a gate")
	}
	// checkCNAME would be in the solver's config: the chart's Issuer has none.
	for _, strict := range []string{"strictNamespaces=false", "strictNamespaces=true"} {
		b, err := json.Marshal(must(t, strict, "issuer.email=me@example.com").objects["ClusterIssuer/signpost"])
		if err != nil || strings.Contains(string(b), "checkCNAME") || strings.Contains(string(b), `"config"`) {
			t.Errorf("%s: %s, %v", strict, b, err)
		}
	}
}

// refs are what an Order may say of its Issuer; nil says nothing.
type ref map[string]any

// gateCase is one request for an Order: a CREATE, or an UPDATE if there is an old one.
type gateCase struct {
	name      string
	namespace string // team-a, if empty
	old, now  ref
	edit      func(*unstructured.Unstructured) // of the UPDATE, beside the Issuer
	want      string                           // the entry that is called, if any
}

func gateCases() []gateCase {
	const cluster, none = "ClusterIssuer", ""
	label := func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"solver": "other"}) }
	names := func(o *unstructured.Unstructured) {
		_ = unstructured.SetNestedStringSlice(o.Object, []string{"other.example.com"}, "spec", "dnsNames")
	}
	ours, others := ref{"kind": cluster, "name": "signpost"}, ref{"kind": cluster, "name": "other"}
	return []gateCase{
		{name: "the chart's own", now: ours, want: "protected"},
		{name: "with its group", now: ref{"kind": cluster, "name": "signpost", "group": "cert-manager.io"}, want: "protected"},
		{name: "another group", now: ref{"kind": cluster, "name": "signpost", "group": "example.com"}, want: "protected"},
		{name: "an empty group", now: ref{"kind": cluster, "name": "signpost", "group": ""}, want: "protected"},
		{name: "a second one", now: ref{"kind": cluster, "name": "shared"}, want: "protected"},
		{name: "a ClusterIssuer of others", now: others, want: "others"},
		{name: "a ClusterIssuer that is called like the Issuer", now: ref{"kind": cluster, "name": "acme"}, want: "others"},
		{name: "Issuer", now: ref{"kind": "Issuer", "name": "acme"}, want: "protected"},
		{name: "without kind", now: ref{"name": "acme"}, want: "protected"},
		{name: "an empty kind", now: ref{"kind": "", "name": "acme"}, want: "protected"},
		{name: "without kind, another group", now: ref{"name": "acme", "group": "example.com"}, want: "protected"},
		{name: "Issuer, another namespace", namespace: "team-b", now: ref{"kind": "Issuer", "name": "acme"}, want: "others"},
		{name: "without kind, another namespace", namespace: "team-b", now: ref{"name": "acme"}, want: "others"},
		{name: "an Issuer that is called like the ClusterIssuer", now: ref{"kind": "Issuer", "name": "signpost"}, want: "others"},
		{name: "without kind, called like the ClusterIssuer", now: ref{"name": "signpost"}, want: "others"},
		{name: "a kind that cert-manager does not know", now: ref{"kind": "clusterissuer", "name": "signpost"}, want: "others"},
		{name: "without name", now: ref{"kind": cluster}, want: "others"},
		{name: "an empty name", now: ref{"kind": cluster, "name": ""}, want: "others"},
		{name: "an empty issuerRef", now: ref{}, want: "others"},
		{name: "without issuerRef", want: "others"},
		{name: "another namespace that makes the same text", namespace: "team", now: ref{"name": "a/acme"}, want: "others"},

		{name: "to protected", old: others, now: ours, want: "protected"},
		{name: "from protected", old: ours, now: others, want: "protected"},
		{name: "from protected, without kind", old: ref{"name": "acme"}, now: others, want: "protected"},
		{name: "to protected, without kind", old: ref{"name": "other"}, now: ref{"name": "acme"}, want: "protected"},
		{name: "the name is taken away", old: ours, now: ref{"kind": cluster}, want: "protected"},
		{name: "the issuerRef is taken away", old: ours, want: "protected"},
		{name: "the issuerRef is new", old: ref{}, now: ours, want: "protected"},
		{name: "other names", old: ours, now: ours, edit: names, want: "protected"},
		{name: "other labels", old: ours, now: ours, edit: label, want: "protected"},
		{name: "others: other names", old: others, now: others, edit: names, want: "others"},
		{name: "others: other labels, without kind", old: ref{"name": "other"}, now: ref{"name": "other"}, edit: label, want: "others"},
		{name: "an annotation", old: ours, now: ours, edit: func(o *unstructured.Unstructured) { o.SetAnnotations(map[string]string{"a": "b"}) }, want: none},
		{name: "a finalizer", old: ours, now: ours, edit: func(o *unstructured.Unstructured) { o.SetFinalizers([]string{"example.com/f"}) }, want: none},
		{name: "the status", old: ours, now: ours, edit: func(o *unstructured.Unstructured) {
			_ = unstructured.SetNestedField(o.Object, "valid", "status", "state")
		}, want: none},
	}
}

// Which entry is called for which Order, as the API server sees it. The Orders'
// schema has no required fields here, so that the conditions are alone.
func TestGateConditions(t *testing.T) {
	a := startAPIServer(t)
	for _, sets := range [][]string{nil, {"issuer.email=me@example.com"}, {"orderGate.issuers[0].kind=Issuer", "orderGate.issuers[0].name=acme", "orderGate.issuers[0].namespace=team-a"}} {
		a.register(t, get[*admregv1.ValidatingWebhookConfiguration](t, must(t, sets...), gateKey))
	}
	gate := get[*admregv1.ValidatingWebhookConfiguration](t, must(t, gateSets...), gateKey)
	a.register(t, gate)
	for _, wrong := range a.wrong(t) {
		t.Error(wrong)
	}

	// The cases see each mistake that the conditions could have.
	for _, m := range []struct{ name, from, to string }{
		{"no has() before kind", "!has(o.spec.issuerRef.kind) || ", ""},
		{"no has() before a ClusterIssuer's kind", "(has(o.spec.issuerRef.kind) && ", "("},
		{"no has() before name", " && has(o.spec.issuerRef.name)", ""},
		{"no has() before issuerRef", " && has(o.spec.issuerRef)", ""},
		{"an empty kind is unknown", "o.spec.issuerRef.kind in ['', 'Issuer']", "o.spec.issuerRef.kind == 'Issuer'"},
		{"the old Issuer does not count", "[object, oldObject]", "[object]"},
		{"any namespace", "request.namespace + '/' + o.spec.issuerRef.name in ['team-a/acme']", "o.spec.issuerRef.name in ['acme']"},
		{"the group counts", "o.spec.issuerRef.kind == 'ClusterIssuer'", "o.spec.issuerRef.kind == 'ClusterIssuer' && (!has(o.spec.issuerRef.group) || o.spec.issuerRef.group == 'cert-manager.io')"},
		{"labels do not count", " ||\n(has(object.metadata.labels) ? object.metadata.labels : {}) != (has(oldObject.metadata.labels) ? oldObject.metadata.labels : {})", ""},
	} {
		worse := gate.DeepCopy()
		found := false
		for i := range worse.Webhooks {
			for j, c := range worse.Webhooks[i].MatchConditions {
				found = found || strings.Contains(c.Expression, m.from)
				worse.Webhooks[i].MatchConditions[j].Expression = strings.ReplaceAll(c.Expression, m.from, m.to)
			}
		}
		if !found {
			t.Errorf("%s: the conditions have no %q any more", m.name, m.from)
			continue
		}
		a.register(t, worse)
		if len(a.wrong(t)) == 0 {
			t.Errorf("%s: no case sees it", m.name)
		}
	}
}

// While nobody answers, the protected wait and nobody else is harmed; and what is
// there can be deleted.
func TestGateWithoutAnswer(t *testing.T) {
	a := startAPIServer(t)
	a.register(t, get[*admregv1.ValidatingWebhookConfiguration](t, must(t, gateSets...), gateKey))
	protected, others := ref{"kind": "ClusterIssuer", "name": "signpost"}, ref{"kind": "ClusterIssuer", "name": "other"}
	orders := a.orders.Namespace("team-a")
	there := order("team-a", protected)
	there.SetFinalizers([]string{"foregroundDeletion"})
	there, err := orders.Create(t.Context(), there, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a.hooks.CloseClientConnections()
	a.hooks.Close()

	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	if _, err := orders.Create(t.Context(), order("team-a", protected), dry); err == nil || !strings.Contains(err.Error(), "protected.orders.signpost.dev") {
		t.Errorf("an Order for a protected Issuer: %v, want that it waits", err)
	}
	if _, err := orders.Create(t.Context(), order("team-a", others), dry); err != nil {
		t.Errorf("an Order for another Issuer: %v", err)
	}
	changed := there.DeepCopy()
	changed.SetLabels(map[string]string{"a": "b"})
	if _, err := orders.Update(t.Context(), changed, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}); err == nil {
		t.Error("an Order for a protected Issuer may be changed")
	}
	if err := orders.Delete(t.Context(), there.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if there, err = orders.Get(t.Context(), there.GetName(), metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	there.SetFinalizers(nil)
	if _, err := orders.Update(t.Context(), there, metav1.UpdateOptions{}); err != nil {
		t.Errorf("the finalizer of an Order cannot be taken away: %v", err)
	}
	if _, err := orders.Get(t.Context(), there.GetName(), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Order is still there: %v", err)
	}
}

// wrong says which of the cases come out otherwise than they have to.
func (a *apiServer) wrong(t *testing.T) (wrong []string) {
	t.Helper()
	for _, c := range gateCases() {
		if c.namespace == "" {
			c.namespace = "team-a"
		}
		orders := a.orders.Namespace(c.namespace)
		var err error
		if c.old == nil {
			_, err = orders.Create(t.Context(), order(c.namespace, c.now), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		} else {
			var there *unstructured.Unstructured
			if there, err = orders.Create(t.Context(), order(c.namespace, c.old), metav1.CreateOptions{}); err == nil {
				a.called()
				if c.now == nil {
					unstructured.RemoveNestedField(there.Object, "spec", "issuerRef")
				} else {
					_ = unstructured.SetNestedMap(there.Object, c.now, "spec", "issuerRef")
				}
				if c.edit != nil {
					c.edit(there)
				}
				var subresources []string
				if _, status := there.Object["status"]; status {
					subresources = []string{"status"}
				}
				_, err = orders.Update(t.Context(), there, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}, subresources...)
			}
		}
		if called := a.called(); err != nil || called != c.want {
			wrong = append(wrong, fmt.Sprintf("%s: calls %q, want %q (%v)", c.name, called, c.want, err))
		}
	}
	// Without anything.
	empty := order("team-a", nil)
	delete(empty.Object, "spec")
	_, err := a.orders.Namespace("team-a").Create(t.Context(), empty, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if called := a.called(); err != nil || called != "others" {
		wrong = append(wrong, fmt.Sprintf("without spec: calls %q (%v)", called, err))
	}
	return wrong
}

func order(namespace string, issuer ref) *unstructured.Unstructured {
	spec := map[string]any{"request": "Y3Ny", "dnsNames": []any{"example.com"}}
	if issuer != nil {
		spec["issuerRef"] = maps.Clone(map[string]any(issuer))
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "acme.cert-manager.io/v1", "kind": "Order", "spec": spec,
		"metadata": map[string]any{"generateName": "o-", "namespace": namespace},
	}}
}
