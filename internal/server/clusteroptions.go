package server

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/gate"
)

// ClusterOptions is what serve is told about the cluster beside the webhook.
type ClusterOptions struct {
	resolvers    []string
	resolverOnly bool
	private      bool // addresses that the Internet cannot reach are fine
	namespace    string
	strict       bool
	challenges   bool
	certificates bool
	dnsService   string // namespace/name

	gate                 bool
	requests             bool
	gateIssuers          []string // Issuer/namespace/name or ClusterIssuer/name
	gateClusterNamespace bool
	gateOthers           bool
	gateConfiguration    string
	certManager          string // namespace/name of its ServiceAccount

	protected []cluster.IssuerRef // set by Validate
}

// AddFlags adds a flag for each option.
func (c *ClusterOptions) AddFlags(fs *pflag.FlagSet) {
	AddResolverFlag(fs, &c.resolvers)
	fs.BoolVar(&c.resolverOnly, "resolver-only", false, "look at CNAMEs through the resolvers alone, for a cluster that reaches no other DNS servers: what they remember is believed, a record that was taken away too")
	fs.BoolVar(&c.private, "private-addresses", false, "addresses of nameservers that the Internet cannot reach are right: for a CA of your own that reaches them")
	fs.StringVar(&c.namespace, "cluster-namespace", "cert-manager", "cert-manager's cluster resource namespace: the scope of ClusterIssuers")
	fs.BoolVar(&c.strict, "strict-namespaces", false, "under a ClusterIssuer too, the target of a domain is that of the Certificate's own namespace; needs --watch-challenges")
	fs.BoolVar(&c.challenges, "watch-challenges", true, "follow cert-manager's Challenges: say in events which record to add, go on as soon as it is there, put back values that Redis has lost")
	fs.BoolVar(&c.certificates, "watch-certificates", true, "follow cert-manager's Certificates, for the status page")
	fs.BoolVar(&c.gate, "order-gate", true, "decide on cert-manager's Orders before they are created, at "+gate.Path+" of the API port; without, only Present looks at the CNAME, inside cert-manager's queue")
	fs.StringArrayVar(&c.gateIssuers, "gate-issuer", nil, "Issuer whose Orders the gate protects, as ClusterIssuer/name or Issuer/namespace/name; repeat for more")
	fs.BoolVar(&c.gateClusterNamespace, "gate-cluster-namespace", false, "with --strict-namespaces, let Orders in the cluster resource namespace through too")
	fs.BoolVar(&c.gateOthers, "gate-other-solvers", false, "let no other DNS-01 solver, of whatever Issuer, hold a name whose CNAME leads into the zone for another namespace than the Order's; Orders for DNS-01 then wait until that CNAME has been looked at")
	fs.StringVar(&c.gateConfiguration, "gate-configuration", "", "name of the ValidatingWebhookConfiguration through which the API server asks the gate, for the status page to compare")
	fs.StringVar(&c.certManager, "cert-manager-service-account", "cert-manager/cert-manager", "namespace/name of the ServiceAccount of cert-manager's controller, which alone may create Orders for protected Issuers")
	fs.BoolVar(&c.requests, "watch-requests", true, "follow CertificateRequests: look at their records before cert-manager comes to the Order, say in events which to add, go on as soon as they are there")
	fs.StringVar(&c.dnsService, "dns-service", "", "namespace/name of the Service in front of the DNS server, whose address the status page then shows")
}

// Validate returns every mistake.
func (c *ClusterOptions) Validate() (mistakes []string) {
	mistakes = append(mistakes, CheckResolvers(c.resolvers)...)
	for _, problem := range validation.IsDNS1123Label(c.namespace) {
		mistakes = append(mistakes, fmt.Sprintf("--cluster-namespace: %q: %s", c.namespace, problem))
	}
	if c.strict && !c.challenges {
		mistakes = append(mistakes, "--strict-namespaces: needs --watch-challenges: only a Challenge says what namespace it is in")
	}
	if c.gateOthers && !c.gate {
		mistakes = append(mistakes, "--gate-other-solvers: needs --order-gate, which decides on Orders")
	}
	if c.gate && !c.requests {
		mistakes = append(mistakes, "--order-gate: needs --watch-requests: nothing else looks at the records")
	}
	c.protected = nil
	for _, text := range c.gateIssuers {
		ref, ok := cluster.ParseIssuerRef(text)
		if !ok {
			mistakes = append(mistakes, fmt.Sprintf("--gate-issuer: %q: write ClusterIssuer/name or Issuer/namespace/name", text))
		}
		c.protected = append(c.protected, ref)
	}
	if namespace, name, ok := strings.Cut(c.certManager, "/"); c.gate && (!ok || namespace == "" || name == "") {
		mistakes = append(mistakes, fmt.Sprintf("--cert-manager-service-account: %q: write namespace/name", c.certManager))
	}
	if namespace, name, ok := strings.Cut(c.dnsService, "/"); c.dnsService != "" && (!ok || namespace == "" || name == "") {
		mistakes = append(mistakes, fmt.Sprintf("--dns-service: %q: write namespace/name", c.dnsService))
	}
	return mistakes
}

// creator is cert-manager's controller, as the API server names it.
func (c *ClusterOptions) creator() string {
	return "system:serviceaccount:" + strings.Replace(c.certManager, "/", ":", 1)
}

// AddResolverFlag adds the one flag of everything that looks up CNAMEs.
func AddResolverFlag(fs *pflag.FlagSet, resolvers *[]string) {
	fs.StringArrayVar(resolvers, "resolver", nil, "recursive resolver that domains are looked up with, as address:port; repeat for more (default: those of this machine)")
}

// CheckResolvers returns every mistake in the values of that flag.
func CheckResolvers(resolvers []string) (mistakes []string) {
	for _, r := range resolvers {
		if err := CheckAddress(r); err != nil || strings.HasPrefix(r, ":") {
			mistakes = append(mistakes, fmt.Sprintf("--resolver: %q: write address:port, for example 9.9.9.9:53", r))
		}
	}
	return mistakes
}
