package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/ownerpage"
	"github.com/signpost-acme/signpost/internal/server"
	"github.com/signpost-acme/signpost/internal/zone"
)

// issueSettings are the flags of issue.
type issueSettings struct {
	clusterFlags
	name      string
	secret    string
	zoneName  string
	scope     string // of ClusterIssuers
	resolvers []string
	timeout   time.Duration
}

func newIssueCommand() *cobra.Command {
	s := &issueSettings{}
	cmd := &cobra.Command{
		Use:   "issue <domain>…",
		Short: "Issue a certificate: creates it, shows the record to add, waits until it is Ready",
		Long: `Issue a certificate: creates a Certificate in the cluster with your own rights,
shows the record that the domain's owner has to add, and waits until the
certificate is Ready. Issuance goes on when you stop waiting.`,
		Example: "  signpost issue '*.example.com'\n  signpost issue example.com '*.example.com' --namespace web",
		RunE: func(cmd *cobra.Command, args []string) error {
			if mistakes := append(applyEnvironment(cmd.Flags()), s.validate(args)...); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			i, err := s.prepare(cmd.Context(), args)
			if err != nil {
				return err
			}
			i.progress = newProgress(cmd.OutOrStdout())
			return i.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	s.addFlags(fs)
	fs.StringVar(&s.name, "name", "", "name of the Certificate (default: from the domain)")
	fs.StringVar(&s.secret, "secret", "", "name of the Secret that gets the certificate (default: the Certificate's name)")
	fs.DurationVar(&s.timeout, "timeout", 0, "how long to wait; 0: until it is Ready")
	fs.StringVar(&s.zoneName, "zone", "", "zone that Signpost serves (default: asked from the cluster)")
	fs.StringVar(&s.scope, "cluster-namespace", "", "cert-manager's cluster resource namespace (default: asked from the cluster, or cert-manager)")
	server.AddResolverFlag(fs, &s.resolvers)
	return cmd
}

func (s *issueSettings) validate(domains []string) (mistakes []string) {
	if len(domains) == 0 {
		mistakes = append(mistakes, "a domain is needed, for example: signpost issue '*.example.com'")
	}
	for _, d := range domains {
		if _, err := zone.Domain(d); err != nil {
			mistakes = append(mistakes, err.Error())
		}
	}
	mistakes = append(mistakes, s.clusterFlags.validate()...)
	return append(mistakes, server.CheckResolvers(s.resolvers)...)
}

// issuing is one Certificate on its way.
type issuing struct {
	client      *cluster.Client
	certificate *cmv1.Certificate
	targets     []zone.Target // of the domains whose owners' records are wanted, each once
	issuer      cluster.Issuer
	every       bool // name wants a record, HTTP-01 names included
	zone        *zone.Zone
	scope       string
	checker     *check.Checker
	timeout     time.Duration
	progress    *progress
	owners      ownersPage // without keys if there is none, or this user may not read them
}

// prepare finds out everything that is needed before anything is changed.
func (s *issueSettings) prepare(ctx context.Context, names []string) (*issuing, error) {
	c, err := s.connect(ctx, s.zoneName, s.scope)
	if err != nil {
		return nil, err
	}
	i := &issuing{client: c.client, timeout: s.timeout, checker: &check.Checker{Zone: c.zone, Resolvers: s.resolvers}, zone: c.zone, issuer: c.issuer, scope: c.scope}
	i.owners, _ = readOwnersPage(ctx, c.client, c.installed, "") // a convenience
	i.every = c.issuer.Kind == "ClusterIssuer" && c.installed.Strict && c.installed.Gate
	var dnsNames []string
	for _, name := range names {
		dnsName, err := zone.Domain(name)
		if err != nil {
			return nil, usageError{err.Error()}
		}
		if zone.IsWildcard(name) {
			dnsName = "*." + dnsName
		}
		dnsNames = append(dnsNames, dnsName)
	}
	if err := i.want(nil, dnsNames); err != nil {
		return nil, err
	}
	name := cmp.Or(s.name, cluster.CertificateName(dnsNames[0]))
	i.certificate = &cmv1.Certificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name},
		Spec: cmv1.CertificateSpec{
			SecretName: cmp.Or(s.secret, name), DNSNames: dnsNames,
			IssuerRef: cmmeta.IssuerReference{Group: cmv1.SchemeGroupVersion.Group, Kind: c.issuer.Kind, Name: c.issuer.Name},
		},
	}
	return i, nil
}

// want finds out which names of a Certificate with those labels want an owner's
// record: those that cert-manager's selection of solvers gives to us.
func (i *issuing) want(labels map[string]string, dnsNames []string) error {
	i.targets = nil
	for _, name := range i.issuer.Selected(labels, dnsNames, i.every) {
		target, err := i.zone.Target(i.scope, name)
		if err != nil {
			return usageError{err.Error()}
		}
		if !slices.Contains(i.targets, target) {
			i.targets = append(i.targets, target)
		}
	}
	return nil
}

// create creates the Certificate, or takes the one that is there if it is the same.
func (i *issuing) create(ctx context.Context) error {
	certificates := i.client.CM.CertmanagerV1().Certificates(i.certificate.Namespace)
	what := fmt.Sprintf("creating Certificate %s in namespace %s", i.certificate.Name, i.certificate.Namespace)
	_, err := certificates.Create(ctx, i.certificate, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		if err != nil {
			return cluster.Explain(err, what)
		}
		i.progress.step("created Certificate %s in namespace %s for %s", i.certificate.Name, i.certificate.Namespace, strings.Join(i.certificate.Spec.DNSNames, ", "))
		return nil
	}
	there, err := certificates.Get(ctx, i.certificate.Name, metav1.GetOptions{})
	if err != nil {
		return cluster.Explain(err, what)
	}
	if !slices.Equal(slices.Sorted(slices.Values(there.Spec.DNSNames)), slices.Sorted(slices.Values(i.certificate.Spec.DNSNames))) ||
		there.Spec.IssuerRef.Name != i.certificate.Spec.IssuerRef.Name {
		return fmt.Errorf("there is a Certificate %s in namespace %s already, for %s by %s; choose another name with --name", there.Name, there.Namespace,
			strings.Join(there.Spec.DNSNames, ", "), there.Spec.IssuerRef.Name)
	}
	i.certificate = there
	i.progress.step("Certificate %s in namespace %s is there already", there.Name, there.Namespace)
	return i.want(there.Labels, there.Spec.DNSNames)
}

// showRecords shows the records that the domains' owners have to add.
func (i *issuing) showRecords() {
	i.progress.say("")
	if len(i.targets) == 0 {
		i.progress.say("No record is needed: %s/%s has other solvers for %s.", i.issuer.Kind, i.issuer.Name, strings.Join(i.certificate.Spec.DNSNames, ", "))
		i.progress.say("")
		return
	}
	i.progress.say("The owner of the domain adds this, once:")
	for _, t := range i.targets {
		i.progress.say("")
		i.progress.say("    %s.  CNAME  %s.", t.Challenge, t.Name)
	}
	i.progress.say("")
	i.showLinks()
}

// showLinks shows the links for the domains' owners, if there is an owner's page, and
// this user may read the keys of its links.
func (i *issuing) showLinks() {
	if len(i.owners.keys) == 0 {
		return
	}
	i.progress.say("Or send the owner this link, which shows where to add it and works for 30 days:")
	for _, t := range i.targets {
		if link, err := ownerpage.Link(i.zone, i.owners.url, i.owners.keys, t.Scope, t.Domain, time.Now().Add(linkLifetime)); err == nil {
			i.progress.say("")
			i.progress.say("    %s", link)
		}
	}
	i.progress.say("")
}

// linkLifetime is how long the links that issue shows are valid.
const linkLifetime = 30 * 24 * time.Hour

// run creates the Certificate and waits for it.
func (i *issuing) run(ctx context.Context) error {
	if err := i.create(ctx); err != nil {
		return err
	}
	i.showRecords()
	if i.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, i.timeout, errTimeout)
		defer cancel()
	}
	err := i.wait(ctx)
	i.progress.end()
	object := "certificate/" + i.certificate.Name + " in namespace " + i.certificate.Namespace
	switch {
	case err == nil:
		i.progress.say("The certificate is in Secret %s, in namespace %s. Renewals need nobody.", i.certificate.Spec.SecretName, i.certificate.Namespace)
	case errors.Is(context.Cause(ctx), errTimeout):
		return fmt.Errorf("%s is not Ready after %v; issuance goes on, look with: kubectl describe certificate %s -n %s",
			object, i.timeout, i.certificate.Name, i.certificate.Namespace)
	case ctx.Err() != nil:
		i.progress.say("Not waiting any more. Issuance of %s goes on; run the same command again to look.", object)
		return nil
	}
	return err
}

var errTimeout = errors.New("--timeout")

// temporary reports whether a look at the cluster may well work the next time.
func temporary(err error) bool {
	var network net.Error
	return errors.As(err, &network) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err)
}
