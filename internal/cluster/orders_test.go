package cluster

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
	"k8s.io/apimachinery/pkg/runtime"
)

func protect(texts ...string) (list []IssuerRef) {
	for _, text := range texts {
		ref, ok := ParseIssuerRef(text)
		if !ok {
			panic(text)
		}
		list = append(list, ref)
	}
	return list
}

func strictly(c *Config) {
	c.Strict, c.Protected = true, protect("ClusterIssuer/strict", "ClusterIssuer/shared", "Issuer/web/mine", "ClusterIssuer/unchecked", "ClusterIssuer/missing")
}

// issuersOfOrders are those of TestOrder.
func issuersOfOrders() []runtime.Object {
	anotherKind := clusterIssuer("selfsigned", "")
	anotherKind.Spec.ACME = nil
	sameKey := clusterIssuer("same-key", "") // no account yet, but it will be strict's
	sameKey.Spec.ACME.PrivateKey.Name = "key-of-strict"
	staging := clusterIssuer("staging", uriB, http01()) // the same Secret at another CA
	staging.Spec.ACME.PrivateKey.Name, staging.Spec.ACME.Server = "key-of-strict", "https://staging.example/dir"
	changing := clusterIssuer("changing", uriB, http01()) // to the account of strict, but its status is of before
	changing.Generation = 2
	return []runtime.Object{
		clusterIssuer("strict", uriA, ours("")),
		clusterIssuer("shared", uriA, http01()),
		clusterIssuer("unnamed", uriA, http01()),
		clusterIssuer("unchecked", uriA, ours(`{"checkCNAME":false}`)),
		clusterIssuer("apart", uriB, http01()),
		clusterIssuer("apart-unnamed", uriB, ours("")), // strict as well, with an account of its own
		clusterIssuer("unregistered", "", http01()),
		anotherKind, sameKey, staging, changing,
		issuerIn("web", "mine", "https://ca.example/acct/3", ours("")),
		issuerIn("web", "other", "https://ca.example/acct/4", ours("")),
		issuerIn("web", "thief", uriA, http01()),
		issuerIn("cert-manager", "same-key", uriB, http01()),
	}
}

// TestOrder: what an Order wants, with and without strict namespaces.
func TestOrder(t *testing.T) {
	lenient := newWorld(t, func(c *Config) { c.Protected = protect("ClusterIssuer/strict", "ClusterIssuer/missing") }, issuersOfOrders()...)
	strict := newWorld(t, strictly, issuersOfOrders()...)
	both := newWorld(t, func(c *Config) { strictly(c); c.GateClusterNamespace = true }, issuersOfOrders()...)
	off := newWorld(t, func(c *Config) { strictly(c); c.Gate = false }, issuersOfOrders()...)
	withIP := func(o *acmev1.Order, ips ...string) *acmev1.Order { o.Spec.IPAddresses = ips; return o }
	for _, tc := range []struct {
		name      string
		world     *world
		order     *acmev1.Order
		protected bool
		scope     string
		domains   string
		refused   string // part of it
	}{
		{name: "a ClusterIssuer's scope", world: lenient, order: order("web", "ClusterIssuer", "apart-unnamed", "example.com"), scope: "cert-manager", domains: "example.com"},
		{name: "an Issuer's scope", world: lenient, order: order("web", "Issuer", "mine", "example.com"), scope: "web", domains: "example.com"},
		{name: "no kind is an Issuer", world: lenient, order: order("web", "", "mine", "example.com"), scope: "web", domains: "example.com"},
		{name: "no kind is no ClusterIssuer", world: lenient, order: order("web", "", "strict", "example.com")},
		{name: "unknown kind", world: lenient, order: order("web", "clusterissuer", "strict", "example.com")},
		{name: "protected", world: lenient, order: order("web", "ClusterIssuer", "strict", "b.example.com", "*.a.example.com", "a.example.com"), protected: true, scope: "cert-manager", domains: "a.example.com b.example.com"},
		{name: "missing", world: lenient, order: order("web", "Issuer", "missing", "example.com")},
		{name: "missing, protected", world: lenient, order: order("web", "ClusterIssuer", "missing", "example.com"), protected: true, refused: "ClusterIssuer/missing does not exist"},
		{name: "not ACME", world: lenient, order: order("web", "ClusterIssuer", "selfsigned", "example.com")},
		{name: "an IP address is the CA's business", world: lenient, order: withIP(order("web", "Issuer", "mine", "example.com"), "192.0.2.1"), scope: "web", domains: "example.com"},
		{name: "inside our zone", world: lenient, order: order("web", "Issuer", "mine", "x.acme.example.com"), refused: "inside the zone"},
		{name: "a public suffix", world: lenient, order: order("web", "Issuer", "mine", "*.co.uk", "example.com"), scope: "web", domains: "example.com", refused: "public suffix"},
		{name: "no domain", world: lenient, order: order("web", "Issuer", "mine", "a..b"), refused: "empty label"},
		{name: "the star alone", world: lenient, order: order("web", "Issuer", "mine", "*"), refused: "not the whole first label"},
		{name: "the empty name", world: lenient, order: order("web", "Issuer", "mine", ""), refused: "is empty"},
		{name: "100 names", world: lenient, order: order("web", "Issuer", "mine", many(100)...), scope: "web", domains: strings.Join(many(100), " ")},
		{name: "101 names", world: lenient, order: order("web", "Issuer", "mine", many(101)...), refused: "at most 100 names"},
		{name: "101 names that do not come to us", world: lenient, order: order("web", "ClusterIssuer", "apart", many(101)...)},
		{name: "unchecked", world: lenient, order: order("web", "ClusterIssuer", "unchecked", "example.com")},

		{name: "strict", world: strict, order: order("web", "ClusterIssuer", "strict", "example.com"), protected: true, scope: "web", domains: "example.com"},
		{name: "strict: an Issuer of one's own", world: strict, order: order("web", "Issuer", "other", "example.com"), scope: "web", domains: "example.com"},
		{name: "strict: HTTP-01 on the same account", world: strict, order: order("web", "ClusterIssuer", "shared", "example.com", "*.example.com"), protected: true, scope: "web", domains: "example.com"},
		{name: "strict: on the same account, unnamed", world: strict, order: order("web", "ClusterIssuer", "unnamed", "example.com"), protected: true, scope: "web", domains: "example.com", refused: "not among orderGate.issuers"},
		{name: "strict: an Issuer on the same account", world: strict, order: order("web", "", "thief", "example.com"), protected: true, scope: "web", domains: "example.com", refused: "Issuer/web/thief uses the ACME account"},
		{name: "strict: uses us, unnamed", world: strict, order: order("web", "ClusterIssuer", "apart-unnamed", "example.com"), protected: true, scope: "web", domains: "example.com", refused: "not among orderGate.issuers"},
		{name: "strict: the account of another strict one", world: strict, order: order("web", "ClusterIssuer", "apart", "example.com"), protected: true, scope: "web", domains: "example.com", refused: "not among orderGate.issuers"},
		{name: "strict: not registered yet", world: strict, order: order("web", "ClusterIssuer", "unregistered", "example.com"), protected: true, scope: "web", domains: "example.com", refused: "has no ACME account yet"},
		{name: "strict: the key of a strict one", world: strict, order: order("web", "ClusterIssuer", "same-key", "example.com"), protected: true, scope: "web", domains: "example.com", refused: "not among orderGate.issuers"},
		{name: "strict: the key of a strict one, at another CA", world: strict, order: order("web", "ClusterIssuer", "staging", "example.com"), protected: true, scope: "web", domains: "example.com", refused: "not among"}, // uriB is strict too
		{name: "strict: an account that is changing", world: strict, order: order("web", "ClusterIssuer", "changing", "example.com"), protected: true, scope: "web", domains: "example.com", refused: "has no ACME account yet"},
		{name: "strict: cluster resource namespace", world: strict, order: order("cert-manager", "ClusterIssuer", "strict", "example.com"), protected: true, scope: "cert-manager", domains: "example.com", refused: "orderGate.clusterNamespace"},
		{name: "strict: cluster resource namespace, permitted", world: both, order: order("cert-manager", "ClusterIssuer", "strict", "example.com"), protected: true, scope: "cert-manager", domains: "example.com"},
		{name: "strict: IP address", world: strict, order: withIP(order("web", "ClusterIssuer", "strict", "example.com"), "192.0.2.1"), protected: true, scope: "web", domains: "example.com", refused: "the IP address 192.0.2.1 has no owner's record"},
		{name: "strict: a malformed IP address", world: strict, order: withIP(order("web", "ClusterIssuer", "strict"), "not\nan address"), protected: true, refused: "the IP address in it"},
		{name: "strict: unchecked", world: strict, order: order("web", "ClusterIssuer", "unchecked", "example.com"), protected: true, scope: "web", domains: "example.com", refused: "checkCNAME: false"},
		{name: "strict: 101 names", world: strict, order: order("web", "ClusterIssuer", "shared", many(101)...), protected: true, refused: "at most 100 names"},
		{name: "strict: no such Issuer", world: strict, order: order("web", "ClusterIssuer", "later", "example.com"), refused: "ClusterIssuer/later does not exist"},
		{name: "strict: no such kind", world: strict, order: order("web", "Foo", "later", "example.com"), refused: "does not exist"},
		{name: "strict: not ACME", world: strict, order: order("web", "ClusterIssuer", "selfsigned", "example.com")},

		{name: "strict, gate off", world: off, order: order("web", "ClusterIssuer", "strict", "example.com"), protected: true, scope: "web", domains: "example.com"},
		{name: "strict, gate off, unnamed", world: off, order: order("web", "ClusterIssuer", "unnamed", "example.com")},
		{name: "strict, gate off, missing", world: off, order: order("web", "ClusterIssuer", "missing", "example.com"), protected: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, group := range []string{"", "cert-manager.io", "other.example.com"} { // it is ignored
				tc.order.Spec.IssuerRef.Group = group
				got := tc.world.Order(tc.order)
				list, scope := domains(got)
				if got.Protected != tc.protected || scope != tc.scope || strings.Join(list, " ") != tc.domains || !strings.Contains(got.Refused, tc.refused) || (tc.refused == "") != (got.Refused == "") {
					t.Errorf("group %q: protected %v, scope %q, domains %q, refused %q; want %v, %q, %q, %q", group, got.Protected, scope, list, got.Refused, tc.protected, tc.scope, tc.domains, tc.refused)
				}
			}
		})
	}
	var unnamed []string
	for _, ref := range strict.Unnamed() {
		unnamed = append(unnamed, ref.String())
	}
	want := []string{"ClusterIssuer/apart", "ClusterIssuer/apart-unnamed", "ClusterIssuer/same-key", "ClusterIssuer/staging", "ClusterIssuer/unnamed", "Issuer/cert-manager/same-key", "Issuer/web/thief"}
	if !slices.Equal(unnamed, want) || lenient.Unnamed() != nil || off.Unnamed() != nil {
		t.Errorf("Unnamed = %q, want %q", unnamed, want)
	}
}

// What an Order wants does not depend on the order of its names, nor on the case
// of their letters.
func TestOrderIsAFunction(t *testing.T) {
	w := newWorld(t, strictly, issuersOfOrders()...)
	a := w.Order(order("web", "ClusterIssuer", "strict", "b.example.com", "*.a.example.com", "c.example.com"))
	b := w.Order(order("web", "ClusterIssuer", "strict", "C.example.com.", "b.EXAMPLE.com", "*.A.example.com"))
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// A key in the cluster resource namespace is the same for an Issuer there and for a
// ClusterIssuer, but not for an Issuer elsewhere, or at another CA.
func TestTenants(t *testing.T) {
	c := Config{Namespace: "cert-manager"}
	of := func(ref string, server string) string {
		r, _ := ParseIssuerRef(ref)
		return fmt.Sprint(c.tenants(r, issuer{acme: spec("k", nil).ACME}))
	}
	if of("ClusterIssuer/a", "") != of("Issuer/cert-manager/b", "") || of("ClusterIssuer/a", "") == of("Issuer/web/b", "") {
		t.Error("the namespaces of keys are confused")
	}
	staging := issuer{acme: spec("k", nil).ACME.DeepCopy()}
	staging.acme.Server = "https://staging.example/dir"
	if got := fmt.Sprint(c.tenants(IssuerRef{Kind: kindClusterIssuer}, staging)); got == of("ClusterIssuer/a", "") {
		t.Errorf("the same at two CAs: %s", got)
	}
	if c.tenants(IssuerRef{}, issuer{}) != nil {
		t.Error("an Issuer that is not ACME has an account")
	}
}

// Before all Issuers are read nobody knows who shares an account: what is guarded
// is refused, and all else passes, as it would while Signpost is away.
func TestOrderBeforeIssuersAreRead(t *testing.T) {
	strict, lenient := notRead(t, strictly), notRead(t, func(c *Config) { c.Protected = protect("ClusterIssuer/strict") })
	for name, got := range map[string]Wanted{
		"strict":             strict.Order(order("web", "Issuer", "any", "example.com")),
		"protected":          lenient.Order(order("web", "ClusterIssuer", "strict", "example.com")),
		"strict, ready alas": strict.Order(order("web", "ClusterIssuer", "strict", "example.com")),
	} {
		if !strings.Contains(got.Refused, "has not read the Issuers") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := lenient.Order(order("web", "Issuer", "any", "example.com")); got.Ours() {
		t.Errorf("not guarded: %+v", got)
	}
	if strict.Ready() || len(strict.Requests()) > 0 || len(strict.Issuing()) > 0 || strict.FollowsRequests() {
		t.Error("something is known before it was read")
	}
}

// What was proved under an account stays proved at the CA. So its Issuers stay
// guarded when the strict ClusterIssuer is deleted and made again, or gets another
// account.
func TestStrictIssuerGoesAndComes(t *testing.T) {
	w := newWorld(t, strictly, clusterIssuer("strict", uriA, ours("")), clusterIssuer("unnamed", uriA, http01()), clusterIssuer("apart", "https://ca.example/acct/9", http01()))
	refused := func() string { return w.Order(order("web", "ClusterIssuer", "unnamed", "example.com")).Refused }
	if refused() == "" {
		t.Fatal("not guarded at all")
	}
	ctx, issuers := context.Background(), w.cm.CertmanagerV1().ClusterIssuers()
	gone := func() bool { _, ok := w.issuer(IssuerRef{Kind: kindClusterIssuer, Name: "strict"}); return !ok }
	if err := issuers.Delete(ctx, "strict", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, gone)
	if refused() == "" {
		t.Error("the strict ClusterIssuer is deleted, and the other with its account goes free")
	}
	if got := w.Order(order("web", "ClusterIssuer", "strict", "example.com")); got.Refused == "" || !got.Protected {
		t.Errorf("an Order for the deleted ClusterIssuer: %+v", got)
	}
	again := clusterIssuer("strict", "", ours("")) // not registered yet
	if _, err := issuers.Create(ctx, again, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, func() bool { return !gone() })
	if refused() == "" {
		t.Error("it is made again, and the other with its account goes free until it is registered")
	}
	again = clusterIssuer("strict", uriB, ours(""))
	again.Generation, again.Status.Conditions[0].ObservedGeneration = 2, 2
	if _, err := issuers.Update(ctx, again, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, func() bool {
		i, _ := w.issuer(IssuerRef{Kind: kindClusterIssuer, Name: "strict"})
		return i.account == uriB
	})
	if refused() == "" {
		t.Error("it has another account, and what was proved under the first goes free")
	}
	if got := w.Order(order("web", "ClusterIssuer", "apart", "example.com")); got.Ours() {
		t.Errorf("an account of its own: %+v", got)
	}
}

// Thousands of names take no time, ours or not.
func TestOrderOfManyNames(t *testing.T) {
	w := newWorld(t, strictly, issuersOfOrders()...)
	var names []string
	for i := range 50_000 {
		names = append(names, fmt.Sprintf("%d.example.com", i))
	}
	for _, issuer := range []string{"strict", "shared", "apart", "later"} {
		began := time.Now()
		w.Order(order("web", "ClusterIssuer", issuer, names...))
		if took := time.Since(began); took > 2*time.Second { // far less, but the machine is shared
			t.Errorf("%s: took %v", issuer, took)
		}
	}
	c := &cmv1.Certificate{Spec: cmv1.CertificateSpec{DNSNames: names, IssuerRef: order("web", "ClusterIssuer", "strict").Spec.IssuerRef}}
	if got, ok := w.certificate(keepCertificate(c)); !ok || len(got.DNSNames) != MaxNames {
		t.Errorf("the page has %d names of one Certificate", len(got.DNSNames))
	}
}

func TestParseIssuerRef(t *testing.T) {
	for text, want := range map[string]IssuerRef{
		"ClusterIssuer/a":      {Kind: "ClusterIssuer", Name: "a"},
		"Issuer/web/a":         {Kind: "Issuer", Namespace: "web", Name: "a"},
		"Issuer/a":             {},
		"ClusterIssuer/web/a":  {},
		"ClusterIssuer/":       {},
		"Issuer//a":            {},
		"clusterissuer/a":      {},
		"Issuer/web/a/b":       {},
		"":                     {},
		"/":                    {},
		"ClusterIssuer/a.b-c9": {Kind: "ClusterIssuer", Name: "a.b-c9"},
	} {
		got, ok := ParseIssuerRef(text)
		if got != want || ok != (want != IssuerRef{}) || ok && got.String() != text {
			t.Errorf("ParseIssuerRef(%q) = %+v, %v", text, got, ok)
		}
	}
}

// TestOtherSolvers: which names of an Order are looked at although another solver
// validates them.
func TestOtherSolvers(t *testing.T) {
	issuers := []runtime.Object{
		issuerIn("web", "other", uriB, otherDNS()),
		issuerIn("web", "http", uriB, http01()),
		issuerIn("web", "both", uriB, only(ours(""), selector{DNSZones: []string{"ours.example.com"}}), only(otherDNS(), selector{DNSZones: []string{"example.com"}})),
		issuerIn("web", "unchecked", uriB, ours(`{"checkCNAME":false}`)),
		clusterIssuer("other", uriB, otherDNS()),
		clusterIssuer("strict", uriA, ours("")),
		clusterIssuer("shared", uriA, otherDNS()),
	}
	off := newWorld(t, nil, issuers...)
	on := newWorld(t, func(c *Config) { c.GateOthers = true }, issuers...)
	strict := newWorld(t, func(c *Config) { strictly(c); c.GateOthers = true }, issuers...)
	for _, tc := range []struct {
		name    string
		world   *world
		order   *acmev1.Order
		targets string
		others  string // scope: domains
		refused string
	}{
		{name: "off", world: off, order: order("web", "Issuer", "other", "*.example.com")},
		{name: "another solver", world: on, order: order("web", "Issuer", "other", "*.example.com", "www.example.com"), others: "web: example.com www.example.com"},
		{name: "another solver of a ClusterIssuer", world: on, order: order("web", "ClusterIssuer", "other", "*.example.com"), others: "cert-manager: example.com"},
		{name: "HTTP-01", world: on, order: order("web", "Issuer", "http", "example.com")},
		{name: "some names are ours", world: on, order: order("web", "Issuer", "both", "*.ours.example.com", "*.example.com", "*.example.org"), targets: "ours.example.com", others: "web: example.com"},
		{name: "ours, unchecked", world: on, order: order("web", "Issuer", "unchecked", "*.example.com")},
		{name: "no domain", world: on, order: order("web", "Issuer", "other", "a..b", "*.co.uk")},
		{name: "too many", world: on, order: order("web", "Issuer", "other", many(101)...), refused: "at most 100"},
		{name: "no such Issuer", world: on, order: order("web", "Issuer", "missing", "*.example.com")},
		{name: "strict namespaces need the record all the same", world: strict, order: order("web", "ClusterIssuer", "shared", "*.example.com"), targets: "example.com"},
		{name: "strict: an Issuer of one's own", world: strict, order: order("web", "Issuer", "other", "*.example.com"), others: "web: example.com"},
		{name: "strict: another ClusterIssuer's scope is the Order's namespace", world: strict, order: order("web", "ClusterIssuer", "other", "*.example.com"), others: "web: example.com"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.world.Order(tc.order)
			list, _ := domains(got)
			others, scope := domains(Wanted{Targets: got.Others})
			said := strings.Join(others, " ")
			if scope != "" {
				said = scope + ": " + said
			}
			if strings.Join(list, " ") != tc.targets || said != tc.others || !strings.Contains(got.Refused, tc.refused) || (tc.refused == "") != (got.Refused == "") {
				t.Errorf("targets %q, others %q, refused %q", list, said, got.Refused)
			}
			if got.Ours() != (tc.targets+tc.others+tc.refused != "" || got.Protected) {
				t.Errorf("Ours is %v", got.Ours())
			}
		})
	}
}

// many returns so many names, sorted.
func many(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("n%03d.example.com", i))
	}
	return list
}
