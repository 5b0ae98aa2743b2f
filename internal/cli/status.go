package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/signpost-acme/signpost/internal/server"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/web"
	"github.com/signpost-acme/signpost/internal/zone"
)

// statusOutputs are what --output can be; the first is the default.
var statusOutputs = []string{"table", "wide", "json", "csv"}

// statusSettings are the flags of status.
type statusSettings struct {
	kube
	namespace string
	state     string
	outlook   string
	output    string
	all       bool
	watch     bool
	here      bool // look from this machine
	group     string
	zoneName  string
	scope     string // of ClusterIssuers
	resolvers []string
	only      bool // the resolvers, not the domains' own servers
	private   bool
	domains   []string // without "*."; none for all
}

func newStatusCommand() *cobra.Command {
	s := &statusSettings{}
	cmd := &cobra.Command{
		Use:   "status [domain…]",
		Short: "Show the cluster's domains: a summary, forecasts, and what needs somebody",
		Long: `Show the domains of the Certificates in the cluster that use Signpost: a summary
with the parts of the installation, and the domains that need somebody, each with
what to do. With domains, only those, whatever their state. It asks the cluster with your own rights: for the status page,
through the API server, and where you may not read that, for the Certificates; then
the domains' records are looked up from this machine.

The page looks at some domains seldom: --from-here looks now.

Exit code: 0 nothing is at risk, 1 a certificate has expired or would not be renewed,
a part of the installation has failed, or something of that cannot be told, 2 wrong usage.`,
		Example: "  signpost status\n  signpost status --state failed -n web -o wide\n  signpost status shop.example.com --watch",
		RunE: func(cmd *cobra.Command, args []string) error {
			if mistakes := append(applyEnvironment(cmd.Flags()), s.validate(args)...); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			from, err := s.prepare(cmd.Context())
			if err != nil {
				return err
			}
			from.errs = cmd.ErrOrStderr()
			o := &overview{statusSettings: s, from: from, out: cmd.OutOrStdout()}
			return o.run(cmd.Context())
		},
	}
	s.addFlags(cmd.Flags())
	return cmd
}

func (s *statusSettings) addFlags(fs *pflag.FlagSet) {
	fs.SortFlags = false
	fs.StringVarP(&s.namespace, "namespace", "n", "", "only Certificates in this namespace (default: in all)")
	fs.BoolVar(&s.all, "all", false, "all domains, not only those that need somebody")
	fs.StringVar(&s.state, "state", "", "only domains in this state: "+strings.Join(web.StateNames(), ", "))
	fs.StringVar(&s.outlook, "outlook", "", "only domains with this forecast: "+strings.Join(web.OutlookNames(), ", "))
	fs.StringVarP(&s.output, "output", "o", statusOutputs[0], strings.Join(statusOutputs, ", "))
	fs.BoolVarP(&s.watch, "watch", "w", false, "go on, and show what changes")
	fs.BoolVar(&s.here, "from-here", false, "do not ask the status page: read the Certificates, and look the records up from this machine")
	s.addKubeFlags(fs)
	fs.StringVar(&s.group, "group-name", "", "groupName of the installation, where there are several")
	fs.StringVar(&s.zoneName, "zone", "", "zone that Signpost serves (default: asked from the cluster)")
	fs.StringVar(&s.scope, "cluster-namespace", "", "cert-manager's cluster resource namespace (default: asked from the cluster, or cert-manager)")
	server.AddResolverFlag(fs, &s.resolvers)
	fs.BoolVar(&s.only, "resolver-only", false, resolverOnlyHelp)
	fs.BoolVar(&s.private, "private-addresses", false, privateAddressesHelp)
}

func (s *statusSettings) validate(domains []string) (mistakes []string) {
	for _, d := range domains {
		name, err := zone.Domain(d)
		if err != nil {
			mistakes = append(mistakes, err.Error())
		}
		s.domains = append(s.domains, name)
	}
	among := func(flag, value string, list []string) {
		if value != "" && !slices.Contains(list, value) {
			mistakes = append(mistakes, fmt.Sprintf("--%s: %q is none of %s", flag, value, strings.Join(list, ", ")))
		}
	}
	among("output", s.output, statusOutputs)
	among("state", s.state, web.StateNames())
	among("outlook", s.outlook, web.OutlookNames())
	if s.output == "" {
		mistakes = append(mistakes, "--output: is none of "+strings.Join(statusOutputs, ", "))
	}
	if s.watch && (s.output == "json" || s.output == "csv") {
		mistakes = append(mistakes, "--watch: shows changes to people; use -o table or -o wide with it")
	}
	if s.all && (s.state != "" || s.outlook != "") {
		mistakes = append(mistakes, "--all: is for every state and outlook; leave out --state and --outlook")
	}
	if s.namespace != "" {
		for _, problem := range validation.IsDNS1123Label(s.namespace) {
			mistakes = append(mistakes, fmt.Sprintf("--namespace: %q: %s", s.namespace, problem))
		}
	}
	return append(mistakes, server.CheckResolvers(s.resolvers)...)
}

// wants reports whether a domain is in question at all.
func (s *statusSettings) wants(d status.Domain) bool {
	return (len(s.domains) == 0 || slices.Contains(s.domains, d.Name)) &&
		(s.namespace == "" || slices.ContainsFunc(d.Certificates, func(c status.Certificate) bool { return c.Namespace == s.namespace }))
}

// lists reports whether a domain is in the list.
func (s *statusSettings) lists(r *web.Row) bool {
	switch {
	case s.state != "" || s.outlook != "":
		return (s.state == "" || string(r.Mark.State) == s.state) && (s.outlook == "" || string(r.Outlook) == s.outlook)
	case s.all || len(s.domains) > 0:
		return true
	}
	return r.Mark.State != status.OK && (r.Mark.State != status.Pending || r.Todo() != "")
}

// overview is what status shows, and where it comes from.
type overview struct {
	*statusSettings
	from *source
	out  io.Writer
}

// run looks once, or with --watch until ctx is done.
func (o *overview) run(ctx context.Context) error {
	x, err := o.look(ctx)
	if err != nil {
		return err
	}
	if err := o.show(x); err != nil {
		return err
	}
	if o.watch {
		return o.follow(ctx, x)
	}
	return o.verdict(x)
}

func (o *overview) look(ctx context.Context) (*web.Index, error) {
	s, err := o.from.snapshot(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("interrupted before all domains were looked at")
	case o.namespace != "" && len(s.Domains) == 0 && o.undecided() == "" && !o.from.client.HasNamespace(ctx, o.namespace):
		return nil, fmt.Errorf("namespace %s does not exist", o.namespace)
	case err != nil:
		return nil, err
	case s.Cluster != "":
		return nil, errors.New(s.Cluster)
	}
	for _, name := range o.domains {
		if !slices.ContainsFunc(s.Domains, func(d status.Domain) bool { return d.Name == name }) {
			if kinds := o.undecided(); kinds != "" {
				return nil, fmt.Errorf("whether a Certificate that uses Signpost is for %s%s cannot be told: you may not read %s", name, o.in(), kinds)
			}
			return nil, fmt.Errorf("no Certificate that uses Signpost is for %s%s; signpost status --all shows those that are", name, o.in())
		}
	}
	return web.NewIndex(s, o.from.now), nil
}

// in says where was looked.
func (s *statusSettings) in() string {
	if s.namespace == "" {
		return ""
	}
	return " in namespace " + s.namespace
}

// verdict is an error if something is at risk, or if that cannot be told.
func (o *overview) verdict(x *web.Index) error {
	t := x.Tally()
	var risks []string
	for _, c := range []struct {
		of             status.Outlook
		singular, many string
	}{
		{status.Expired, "1 certificate has expired", "%d certificates have expired"},
		{status.AtRisk, "1 certificate would not be renewed", "%d certificates would not be renewed"},
		{status.Untold, "of 1 certificate it cannot be told whether it would be renewed", "of %d certificates it cannot be told whether they would be renewed"},
	} {
		switch n := t.Outlooks[c.of]; {
		case n == 1:
			risks = append(risks, c.singular)
		case n > 1:
			risks = append(risks, fmt.Sprintf(c.many, n))
		}
	}
	for _, m := range o.from.missing {
		risks = append(risks, m.Kind+" could not be read: "+without(m))
	}
	for _, t := range o.parts(x) {
		if why := wrong(t, x.Zone); why != "" {
			risks = append(risks, why)
		}
	}
	if len(risks) > 0 {
		return errors.New(strings.Join(risks, ", "))
	}
	return nil
}
