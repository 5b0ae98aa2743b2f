package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/cert-manager/cert-manager/pkg/util/solverpicker"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// selections are Issuers and Certificates, and the names that come to us. Where a
// name does, the owner's record is wanted, unless unchecked says so.
var selections = []struct {
	name       string
	solvers    solvers
	labels     map[string]string
	dnsNames   []string
	commonName string
	ips        []string
	ours       []string // identifiers
	unchecked  []string // those of them that need no record
}{
	{name: "one solver", solvers: solvers{ours("")}, dnsNames: []string{"example.com", "*.example.com"}, ours: []string{"*.example.com", "example.com"}},
	{name: "no solver", dnsNames: []string{"example.com"}},
	{name: "another solver", solvers: solvers{otherDNS()}, dnsNames: []string{"example.com"}},
	{name: "ours behind another", solvers: solvers{otherDNS(), ours("")}, dnsNames: []string{"example.com"}},
	{name: "ours before another", solvers: solvers{ours(""), otherDNS()}, dnsNames: []string{"example.com"}, ours: []string{"example.com"}},
	{name: "http01 alone", solvers: solvers{http01()}, dnsNames: []string{"example.com", "*.example.com"}},
	{name: "http01 first", solvers: solvers{http01(), ours("")}, dnsNames: []string{"example.com", "*.example.com"}, ours: []string{"*.example.com"}},
	{name: "http01 second", solvers: solvers{ours(""), http01()}, dnsNames: []string{"example.com"}, ours: []string{"example.com"}},
	{name: "http01 for one name", solvers: solvers{ours(""), only(http01(), selector{DNSNames: []string{"www.example.com"}})},
		dnsNames: []string{"www.example.com", "example.com"}, ours: []string{"example.com"}},
	{name: "another for one name", solvers: solvers{ours(""), only(otherDNS(), selector{DNSNames: []string{"www.example.com"}})},
		dnsNames: []string{"www.example.com", "example.com"}, ours: []string{"example.com"}},
	{name: "matchLabels, matched", solvers: solvers{otherDNS(), only(ours(""), selector{MatchLabels: map[string]string{"dns": "signpost"}})},
		labels: map[string]string{"dns": "signpost", "app": "web"}, dnsNames: []string{"example.com"}, ours: []string{"example.com"}},
	{name: "matchLabels, another value", solvers: solvers{otherDNS(), only(ours(""), selector{MatchLabels: map[string]string{"dns": "signpost"}})},
		labels: map[string]string{"dns": "other"}, dnsNames: []string{"example.com"}},
	{name: "matchLabels, the more the better", solvers: solvers{only(ours(""), selector{MatchLabels: map[string]string{"a": "1"}}), only(otherDNS(), selector{MatchLabels: map[string]string{"a": "1", "b": "2"}})},
		labels: map[string]string{"a": "1", "b": "2"}, dnsNames: []string{"example.com"}},
	{name: "dnsNames before dnsZones", solvers: solvers{only(otherDNS(), selector{DNSZones: []string{"example.com"}}), only(ours(""), selector{DNSNames: []string{"a.example.com"}})},
		dnsNames: []string{"a.example.com", "b.example.com"}, ours: []string{"a.example.com"}},
	{name: "dnsNames do not match the wildcard", solvers: solvers{otherDNS(), only(ours(""), selector{DNSNames: []string{"example.com"}})},
		dnsNames: []string{"example.com", "*.example.com"}, ours: []string{"example.com"}},
	{name: "dnsNames match a wildcard that is written so", solvers: solvers{otherDNS(), only(ours(""), selector{DNSNames: []string{"*.example.com"}})},
		dnsNames: []string{"example.com", "*.example.com"}, ours: []string{"*.example.com"}},
	{name: "the longest dnsZone", solvers: solvers{only(otherDNS(), selector{DNSZones: []string{"example.com"}}), only(ours(""), selector{DNSZones: []string{"eu.example.com"}})},
		dnsNames: []string{"a.eu.example.com", "*.eu.example.com", "a.example.com"}, ours: []string{"*.eu.example.com", "a.eu.example.com"}},
	{name: "dnsZones beat labels", solvers: solvers{only(ours(""), selector{MatchLabels: map[string]string{"a": "1", "b": "2"}}), only(otherDNS(), selector{DNSZones: []string{"example.com"}})},
		labels: map[string]string{"a": "1", "b": "2"}, dnsNames: []string{"example.com", "example.net"}, ours: []string{"example.net"}},
	{name: "a dnsZone is whole labels", solvers: solvers{only(ours(""), selector{DNSZones: []string{"example.com"}})}, dnsNames: []string{"notexample.com"}},
	{name: "labels and zones", solvers: solvers{only(ours(""), selector{DNSZones: []string{"example.com"}, MatchLabels: map[string]string{"a": "1"}})}, dnsNames: []string{"example.com"}},
	{name: "the first of two alike", solvers: solvers{only(ours(""), selector{DNSZones: []string{"example.com"}}), only(otherDNS(), selector{DNSZones: []string{"example.com"}})},
		dnsNames: []string{"example.com"}, ours: []string{"example.com"}},
	{name: "capital letters in the name", solvers: solvers{otherDNS(), only(ours(""), selector{DNSNames: []string{"example.com"}})},
		dnsNames: []string{"EXAMPLE.Com"}, ours: []string{"example.com"}},
	{name: "capital letters in dnsNames match nothing", solvers: solvers{otherDNS(), only(ours(""), selector{DNSNames: []string{"Example.com"}})}, dnsNames: []string{"Example.com"}},
	{name: "capital letters in dnsZones", solvers: solvers{otherDNS(), only(ours(""), selector{DNSZones: []string{"Example.COM"}})}, dnsNames: []string{"a.example.com"}, ours: []string{"a.example.com"}},
	{name: "final dot", solvers: solvers{otherDNS(), only(ours(""), selector{DNSNames: []string{"example.com"}})}, dnsNames: []string{"example.com."}, ours: []string{"example.com"}},
	{name: "commonName alone", solvers: solvers{ours("")}, commonName: "example.com", ours: []string{"example.com"}},
	{name: "commonName with a final dot", solvers: solvers{ours("")}, commonName: "example.com.", ours: []string{"example.com"}},
	{name: "commonName and the same name", solvers: solvers{ours("")}, commonName: "example.com", dnsNames: []string{"Example.com."}, ours: []string{"example.com"}},
	{name: "commonName that is no FQDN", solvers: solvers{ours("")}, commonName: "My Web Server", dnsNames: []string{"example.com"}, ours: []string{"example.com"}},
	{name: "commonName of one label", solvers: solvers{ours("")}, commonName: "localhost"},
	{name: "IP address as commonName", solvers: solvers{ours("")}, commonName: "192.0.2.1", dnsNames: []string{"example.com"}, ours: []string{"example.com"}},
	{name: "IP addresses", solvers: solvers{ours("")}, ips: []string{"192.0.2.1"}},
	{name: "no names", solvers: solvers{ours("")}},
	{name: "Unicode is not what a CA knows, and goes its way", solvers: solvers{ours("")}, dnsNames: []string{"münchen.example"}, ours: []string{"münchen.example"}},
	{name: "A-labels", solvers: solvers{otherDNS(), only(ours(""), selector{DNSZones: []string{"xn--mnchen-3ya.example"}})}, dnsNames: []string{"XN--Mnchen-3ya.example"}, ours: []string{"xn--mnchen-3ya.example"}},
	{name: "two of ours, one unchecked", solvers: solvers{ours(""), only(ours(`{"checkCNAME":false}`), selector{DNSZones: []string{"internal.example.com"}})},
		dnsNames: []string{"a.internal.example.com", "example.com"}, ours: []string{"a.internal.example.com", "example.com"}, unchecked: []string{"a.internal.example.com"}},
	{name: "unchecked, but another is picked", solvers: solvers{ours(`{"checkCNAME":false}`), only(otherDNS(), selector{DNSZones: []string{"example.com"}})}, dnsNames: []string{"example.com"}},
}

// TestSelection compares the names that come to us with what cert-manager's own
// code picks when the CA has answered: for its identifier, and the types that CAs
// offer for it, in any order.
func TestSelection(t *testing.T) {
	var objects []runtime.Object
	for i, tc := range selections {
		objects = append(objects, issuerIn("web", fmt.Sprint("i", i), uriA, tc.solvers...), &cmv1.Certificate{
			ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: fmt.Sprint("c", i), Labels: tc.labels},
			Spec: cmv1.CertificateSpec{DNSNames: tc.dnsNames, CommonName: tc.commonName, IPAddresses: tc.ips,
				IssuerRef: cmmeta.IssuerReference{Name: fmt.Sprint("i", i)}},
		})
	}
	w := newWorld(t, nil, objects...)
	onPage := map[string][]string{}
	for _, c := range w.Certificates() {
		onPage[c.Name] = c.DNSNames
	}
	for i, tc := range selections {
		t.Run(tc.name, func(t *testing.T) {
			o := order("web", "", fmt.Sprint("i", i), tc.dnsNames...)
			o.Labels, o.Spec.CommonName, o.Spec.IPAddresses = tc.labels, tc.commonName, tc.ips
			if got := certManagerPicks(w, o, tc.solvers); !slices.Equal(got, tc.ours) {
				t.Fatalf("cert-manager picks us for %q, want %q", got, tc.ours)
			}
			if got := onPage[fmt.Sprint("c", i)]; !slices.Equal(got, tc.ours) {
				t.Errorf("the page has %q, want %q", got, tc.ours)
			}
			issuer := Issuer{Group: group, solver: "signpost", acme: &acmev1.ACMEIssuer{Solvers: tc.solvers}}
			if tc.commonName == "" {
				if got := issuer.Selected(tc.labels, tc.dnsNames, false); !slices.Equal(got, tc.ours) {
					t.Errorf("the command line has %q, want %q", got, tc.ours)
				}
			}
			want := map[string]bool{}
			for _, name := range tc.ours {
				if target, err := w.config.Zone.Target("web", name); err == nil && !slices.Contains(tc.unchecked, name) {
					want[target.Domain] = true
				}
			}
			list, scope := domains(w.Order(o))
			if len(list) != len(want) || len(list) > 0 && scope != "web" || slices.ContainsFunc(list, func(d string) bool { return !want[d] }) {
				t.Errorf("records are wanted for %q in scope %q, want %v", list, scope, want)
			}
		})
	}
	if len(selections) < 20 {
		t.Error("the table is too short")
	}
}

// certManagerPicks returns the identifiers of an Order for which cert-manager
// picks a solver of ours.
func certManagerPicks(w *world, o *acmev1.Order, list solvers) (picked []string) {
	for _, id := range certManagerOrders(o) {
		wildcard := strings.HasPrefix(id, "*.")
		for _, types := range [][]string{{"dns-01"}, {"http-01", "dns-01", "tls-alpn-01"}, {"dns-01", "http-01"}} {
			if wildcard != slices.Equal(types, []string{"dns-01"}) {
				continue // RFC 8555 section 7.1.3, and every CA
			}
			var offered []acmev1.ACMEChallenge
			for _, s := range types {
				offered = append(offered, acmev1.ACMEChallenge{Type: s})
			}
			s, c := solverpicker.Pick(context.Background(), id, offered, list, o)
			if s != nil && c.Type == "dns-01" && s.DNS01.Webhook != nil && s.DNS01.Webhook.GroupName == group && !slices.Contains(picked, id) {
				picked = append(picked, id)
			}
		}
	}
	return picked
}

// certManagerOrders is createOrder of cert-manager's pkg/controller/acmeorders, and
// what a CA makes of it: identifiers in lower case, without a final dot.
func certManagerOrders(o *acmev1.Order) (ids []string) {
	names := slices.Clone(o.Spec.DNSNames)
	if cn := strings.TrimSuffix(o.Spec.CommonName, "."); strings.Contains(cn, ".") && !strings.ContainsAny(cn, " ABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.ContainsAny(cn, "abcdefghijklmnopqrstuvwxyz") {
		names = append(names, cn)
	}
	for _, name := range names {
		ids = append(ids, strings.ToLower(strings.TrimSuffix(name, ".")))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// With strict namespaces the command line shows a record for every name.
func TestSelectedAll(t *testing.T) {
	i := Issuer{Group: group, solver: "signpost", acme: &acmev1.ACMEIssuer{Solvers: solvers{http01()}}}
	if got := i.Selected(nil, []string{"a.example.com"}, true); len(got) != 1 {
		t.Errorf("Selected = %q", got)
	}
}

// What is selected does not depend on what is not: the solver's name and group.
func TestForeignSolvers(t *testing.T) {
	other, named := ours(""), ours("")
	other.DNS01.Webhook.GroupName, named.DNS01.Webhook.SolverName = "other.example.com", "cloudflare"
	w := newWorld(t, nil, clusterIssuer("c", uriA, other, named))
	if got := w.Order(order("web", "ClusterIssuer", "c", "example.com")); got.Ours() {
		t.Errorf("Order = %+v", got)
	}
	if got := w.OtherGroups(); len(got) != 1 || got[0].Group != "other.example.com" || got[0].Issuer != "ClusterIssuer/c" {
		t.Errorf("OtherGroups = %+v", got)
	}
	if text, err := json.Marshal(w.Certificates()); err != nil || string(text) != "null" {
		t.Errorf("Certificates = %s", text)
	}
}
