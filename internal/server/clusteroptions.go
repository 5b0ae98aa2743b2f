package server

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// ClusterOptions is what serve is told about the cluster beside the webhook.
type ClusterOptions struct {
	resolvers    []string
	namespace    string
	strict       bool
	challenges   bool
	certificates bool
	dnsService   string // namespace/name
}

// AddFlags adds a flag for each option.
func (c *ClusterOptions) AddFlags(fs *pflag.FlagSet) {
	AddResolverFlag(fs, &c.resolvers)
	fs.StringVar(&c.namespace, "cluster-namespace", "cert-manager", "cert-manager's cluster resource namespace: the scope of ClusterIssuers")
	fs.BoolVar(&c.strict, "strict-namespaces", false, "under a ClusterIssuer too, the target of a domain is that of the Certificate's own namespace; needs --watch-challenges")
	fs.BoolVar(&c.challenges, "watch-challenges", true, "follow cert-manager's Challenges: say in events which record to add, go on as soon as it is there, put back values that Redis has lost")
	fs.BoolVar(&c.certificates, "watch-certificates", true, "follow cert-manager's Certificates, for the status page")
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
	if namespace, name, ok := strings.Cut(c.dnsService, "/"); c.dnsService != "" && (!ok || namespace == "" || name == "") {
		mistakes = append(mistakes, fmt.Sprintf("--dns-service: %q: write namespace/name", c.dnsService))
	}
	return mistakes
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
