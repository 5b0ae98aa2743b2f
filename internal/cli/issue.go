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
	"github.com/signpost-acme/signpost/internal/server"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/solver"
)

// issueSettings are the flags of issue.
type issueSettings struct {
	kube
	namespace string
	issuer    string // kind/name
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
	fs.StringVarP(&s.namespace, "namespace", "n", "", "namespace of the Certificate (default: the kubeconfig's)")
	fs.StringVar(&s.issuer, "issuer", "", "Issuer/name or ClusterIssuer/name (default: the one that uses Signpost)")
	fs.StringVar(&s.name, "name", "", "name of the Certificate (default: from the domain)")
	fs.StringVar(&s.secret, "secret", "", "name of the Secret that gets the certificate (default: the Certificate's name)")
	fs.DurationVar(&s.timeout, "timeout", 0, "how long to wait; 0: until it is Ready")
	s.addKubeFlags(fs)
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
	if kind, name, ok := strings.Cut(s.issuer, "/"); s.issuer != "" && (!ok || name == "" || kind != "Issuer" && kind != "ClusterIssuer") {
		mistakes = append(mistakes, fmt.Sprintf("--issuer: %q: write Issuer/name or ClusterIssuer/name", s.issuer))
	}
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
}

// prepare finds out everything that is needed before anything is changed.
func (s *issueSettings) prepare(ctx context.Context, names []string) (*issuing, error) {
	rest, config, err := s.connect()
	if err != nil {
		return nil, err
	}
	if s.namespace == "" {
		if s.namespace, _, err = config.Namespace(); err != nil {
			return nil, fmt.Errorf("no namespace is known: %w; give --namespace", err)
		}
	}
	client, err := cluster.NewClient(rest, solver.Name)
	if err != nil {
		return nil, err
	}
	issuer, err := s.chooseIssuer(ctx, client)
	if err != nil {
		return nil, err
	}
	installed, err := client.Installation(ctx, issuer.Group)
	if err != nil {
		return nil, err
	}
	z, err := zone.New(cmp.Or(s.zoneName, installed.Zone, issuer.Group))
	if err != nil {
		return nil, fmt.Errorf("%w; give the zone that Signpost serves with --zone", err)
	}
	i := &issuing{client: client, timeout: s.timeout, checker: &check.Checker{Zone: z, Resolvers: s.resolvers}, zone: z, issuer: issuer, scope: s.namespace}
	switch {
	case issuer.Kind == "ClusterIssuer" && !installed.Strict:
		i.scope = cmp.Or(s.scope, installed.Namespace, "cert-manager")
	case issuer.Kind == "ClusterIssuer":
		i.every = installed.Gate
	}
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
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec: cmv1.CertificateSpec{
			SecretName: cmp.Or(s.secret, name), DNSNames: dnsNames,
			IssuerRef: cmmeta.IssuerReference{Group: cmv1.SchemeGroupVersion.Group, Kind: issuer.Kind, Name: issuer.Name},
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

// chooseIssuer returns the one that was asked for, or the only one that there is.
func (s *issueSettings) chooseIssuer(ctx context.Context, client *cluster.Client) (cluster.Issuer, error) {
	list, err := client.Issuers(ctx, s.namespace)
	if err != nil && len(list) == 0 {
		return cluster.Issuer{}, err
	}
	var names []string
	for _, i := range list {
		if name := i.Kind + "/" + i.Name; name == s.issuer {
			return i, nil
		} else if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	switch {
	case s.issuer != "":
		return cluster.Issuer{}, fmt.Errorf("%s does not exist, or does not use Signpost; those that do: %s", s.issuer, cmp.Or(strings.Join(names, ", "), "none"))
	case len(list) == 0:
		return cluster.Issuer{}, fmt.Errorf("no ClusterIssuer, and no Issuer in namespace %s, uses Signpost; create one, with solverName %s", s.namespace, solver.Name)
	case len(list) > 1:
		return cluster.Issuer{}, usageError{"several Issuers use Signpost; choose one with --issuer: " + strings.Join(names, ", ")}
	}
	return list[0], nil
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
}

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
