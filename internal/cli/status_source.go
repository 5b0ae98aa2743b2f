package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/version"
	"github.com/signpost-acme/signpost/internal/web"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/solver"
)

// Where a snapshot can come from.
const (
	fromPage    = "status page"
	fromMachine = "this machine"
)

// source is where status has its snapshots from: the status page, and where that cannot
// be read, the cluster and this machine's own look at the DNS.
type source struct {
	settings  *statusSettings
	client    *cluster.Client
	rest      *rest.Config
	group     string
	installed cluster.Installation
	errs      io.Writer
	noted     map[string]bool // has been said on errs

	name string    // of where the last snapshot came from
	now  time.Time // of the last snapshot's reading, by the clock of whoever made it
	here *here     // nil while the page can be read

	missing []cluster.Missing // what the last snapshot lacks
	looked  bool              // progress has been shown once
}

// here is a look from this machine.
type here struct {
	cluster *cluster.Cluster
	survey  *status.Collector
}

// prepare finds out how Signpost was set up in the cluster.
func (s *statusSettings) prepare(ctx context.Context) (*source, error) {
	config, _, err := s.connect()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 50, 100 // thousands of Certificates are many pages
	client, err := cluster.NewClient(config, solver.Name)
	if err != nil {
		return nil, err
	}
	group, installed, err := s.chooseGroup(ctx, client)
	return &source{settings: s, client: client, rest: config, group: group, installed: installed, noted: map[string]bool{}}, err
}

// chooseGroup returns the installation that was asked for, or the only one that Issuers
// use. One that was asked for has to exist.
func (s *statusSettings) chooseGroup(ctx context.Context, client *cluster.Client) (group string, installed cluster.Installation, err error) {
	if s.group != "" {
		if installed, err = client.Installation(ctx, s.group); err != nil || installed.Found {
			return s.group, installed, err
		}
	}
	issuers, errIssuers := client.Issuers(ctx, s.namespace)
	var groups []string
	for _, i := range issuers {
		if !slices.Contains(groups, i.Group) {
			groups = append(groups, i.Group)
		}
	}
	switch {
	case s.group != "" && (slices.Contains(groups, s.group) || errIssuers != nil):
		return s.group, installed, nil //nolint:nilerr // what may not be read is said when it is
	case s.group != "" && len(groups) > 0:
		return "", installed, fmt.Errorf("there is no installation with groupName %s; Issuers%s use %s", s.group, s.in(), strings.Join(groups, ", "))
	case s.group != "":
		return "", installed, fmt.Errorf("there is no installation with groupName %s, and no Issuer%s uses Signpost", s.group, s.in())
	case len(groups) == 0 && errIssuers != nil:
		return "", installed, fmt.Errorf("which installation of Signpost is meant cannot be told: %w; or give its --group-name", errIssuers)
	case len(groups) == 0:
		return "", installed, fmt.Errorf("no ClusterIssuer, and no Issuer%s, uses Signpost; create one, with solverName %s", s.in(), solver.Name)
	case len(groups) > 1:
		return "", installed, usageError{"several installations of Signpost are used; choose one with --group-name: " + strings.Join(groups, ", ")}
	}
	installed, err = client.Installation(ctx, groups[0])
	return groups[0], installed, err
}

// snapshot looks once. It has the domains that are in question.
func (s *source) snapshot(ctx context.Context) (status.Snapshot, error) {
	if !s.settings.here && s.here == nil {
		x, err := s.page(ctx)
		if err == nil || ctx.Err() != nil || s.name != "" { // what could be read once is read again
			return x, err
		}
		s.note("%v; the records are looked up from this machine instead", err)
	}
	if s.here == nil {
		h, err := s.newHere()
		if err != nil {
			return status.Snapshot{}, err
		}
		s.here = h
	}
	return s.fromHere(ctx)
}

// page reads the status page. One that does not know the Certificates is no better than
// none.
func (s *source) page(ctx context.Context) (x status.Snapshot, err error) {
	search := ""
	if len(s.settings.domains) == 1 { // of thousands, the one is enough
		search = s.settings.domains[0]
	}
	text, err := s.client.StatusPage(ctx, search)
	if err != nil {
		return x, err
	}
	x, now, err := web.ReadJSON(text)
	if err != nil {
		return x, err
	}
	if x.Cluster != "" {
		return x, fmt.Errorf("the status page: %s", x.Cluster)
	}
	s.name, s.now = fromPage, now
	x.Domains = slices.DeleteFunc(x.Domains, func(d status.Domain) bool { return !s.settings.wants(d) })
	if namespace := s.settings.namespace; namespace != "" {
		for i := range x.Domains {
			d := &x.Domains[i]
			d.Certificates = slices.DeleteFunc(d.Certificates, func(c status.Certificate) bool { return c.Namespace != namespace })
		}
	}
	return x, nil
}

func (s *source) newHere() (*here, error) {
	z, err := zone.New(cmp.Or(s.settings.zoneName, s.installed.Zone, s.group))
	if err != nil {
		return nil, fmt.Errorf("%w; give the zone that Signpost serves with --zone", err)
	}
	namespace, log := cmp.Or(s.settings.scope, s.installed.Namespace, "cert-manager"), slog.New(slog.DiscardHandler)
	k, err := cluster.New(cluster.Config{
		Rest: s.rest, Group: s.group, Solver: solver.Name, Namespace: namespace, Strict: s.installed.Strict, Zone: z, Gate: s.installed.Gate,
		Unchecked: solver.Unchecked, Challenges: true, Certificates: true, Requests: true, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return &here{cluster: k, survey: status.New(status.Config{
		Version: version.String(), Zone: z, Group: s.group, Namespace: namespace, Strict: s.installed.Strict, PrivateAddresses: s.settings.private,
		Cluster: told{k}, Checker: &check.Checker{Zone: z, Resolvers: s.settings.resolvers, ResolverOnly: s.settings.only, PrivateAddresses: s.settings.private, Namespaces: k.Scopes}, Log: log,
	})}, nil
}

// told is a cluster whose gate's settings a user does not know: why a request can never
// be let through is the gate's to say.
type told struct{ *cluster.Cluster }

// Requests returns those that wait.
func (t told) Requests() (list []cluster.Request) {
	for _, r := range t.Cluster.Requests() {
		r.Refused = ""
		list = append(list, r)
	}
	return list
}

// fromHere reads the cluster, and looks at the DNS from this machine.
func (s *source) fromHere(ctx context.Context) (status.Snapshot, error) {
	missing, err := s.here.cluster.Load(ctx, s.settings.namespace)
	if err != nil {
		return status.Snapshot{}, err
	}
	for _, m := range missing {
		s.note("%v", m.Err)
	}
	s.missing = missing
	s.name = fromMachine
	first := !s.looked
	s.looked = true
	x := s.here.survey.Survey(ctx, s.settings.wants, func(done, all int) {
		if first && all > manyDomains && (done%(10*manyDomains) == 0 || done == all) {
			fmt.Fprintf(s.errs, "looked at %d of %d domains\n", done, all)
		}
	})
	s.now = time.Now()
	x.At = s.now // a look at thousands takes minutes, and is not old when it is done
	return x, nil
}

// note says something beside the result, once.
func (s *source) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !s.noted[text] {
		s.noted[text] = true
		fmt.Fprintf(s.errs, "note: %s\n", text)
	}
}
