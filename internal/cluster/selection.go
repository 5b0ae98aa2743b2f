package cluster

import (
	"context"
	"net"
	"slices"
	"strings"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	"github.com/cert-manager/cert-manager/pkg/util/solverpicker"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// names are the identifiers that cert-manager orders at the CA: DNS names in lower
// case without a final dot, each once, and IP addresses.
type names struct{ dns, ips []string }

// orderedNames puts together what an Order, or what it will be made of, asks for.
// A commonName is an identifier too, if it is a DNS name or an IP address. The CA
// knows no capital letters and no final dot, so they are folded before anything
// else looks at the names.
func orderedNames(dnsNames []string, commonName string, ips []string) (n names) {
	for _, name := range dnsNames {
		n.dns = append(n.dns, fold(name))
	}
	n.ips = slices.Clone(ips)
	switch {
	case commonName == "":
	case net.ParseIP(commonName) != nil:
		n.ips = append(n.ips, commonName)
	case len(validation.IsFullyQualifiedDomainName(nil, strings.TrimPrefix(commonName, "*."))) == 0:
		n.dns = append(n.dns, fold(commonName))
	}
	slices.Sort(n.dns)
	slices.Sort(n.ips)
	n.dns, n.ips = slices.Compact(n.dns), slices.Compact(n.ips)
	return n
}

func fold(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// offers are the challenge types that CAs offer, by whether the name is a wildcard
// (RFC 8555 section 7.1.3 leaves wildcards to the CA, and CAs validate them by DNS
// alone). A CA could offer a plain name DNS-01 alone; if that counted, every name
// that an Issuer sends to HTTP-01 first would need a CNAME. Present looks all the same.
var offers = map[bool][]acmev1.ACMEChallenge{
	true:  {{Type: "dns-01"}},
	false: {{Type: "http-01"}, {Type: "dns-01"}, {Type: "tls-alpn-01"}},
}

// picked returns the solver that cert-manager would pick for a name, nil for none;
// labels are those of the Order.
func picked(solvers []acmev1.ACMEChallengeSolver, labels map[string]string, name string) *acmev1.ACMEChallengeSolver {
	order := &acmev1.Order{ObjectMeta: metav1.ObjectMeta{Labels: labels}}
	s, _ := solverpicker.Pick(context.Background(), name, offers[strings.HasPrefix(name, "*.")], solvers, order)
	return s
}

// divided returns those of the names that come to us, but for those whose CNAME is not
// to be looked at, and those that another DNS-01 solver gets.
func (c Config) divided(solvers []acmev1.ACMEChallengeSolver, labels map[string]string, dnsNames []string) (ours, others []string) {
	for _, name := range dnsNames {
		switch s := picked(solvers, labels, name); {
		case s == nil || s.DNS01 == nil:
		case !c.solves(*s):
			others = append(others, name)
		case !c.unchecked(s.DNS01.Webhook.Config):
			ours = append(ours, name)
		}
	}
	return ours, others
}

// selected returns those of the names that come to us.
func (c Config) selected(solvers []acmev1.ACMEChallengeSolver, labels map[string]string, dnsNames []string) (list []string) {
	for _, name := range dnsNames {
		if s := picked(solvers, labels, name); s != nil && c.solves(*s) {
			list = append(list, name)
		}
	}
	return list
}
