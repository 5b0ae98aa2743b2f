package cluster

import (
	"context"
	"fmt"
	"strings"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmclient "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Client looks things up with a user's own rights.
type Client struct {
	CM     cmclient.Interface
	kube   kubernetes.Interface
	solver string

	statusService string // see annotationStatus; set by Installation
}

// NewClient returns a client for an installation whose solver has that name.
func NewClient(config *rest.Config, solver string) (*Client, error) {
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	cm, err := cmclient.NewForConfig(config)
	return &Client{CM: cm, kube: kube, solver: solver}, err
}

// Issuer is one that has us among its solvers.
type Issuer struct {
	Kind  string // Issuer or ClusterIssuer
	Name  string
	Group string // of our webhook

	acme   *acmev1.ACMEIssuer
	solver string
}

// Selected returns those of the names that come to us, of a Certificate with those
// labels: see Cluster.Certificates. With all, every name needs an owner's record,
// HTTP-01 names included: strict namespaces.
func (i Issuer) Selected(labels map[string]string, dnsNames []string, all bool) []string {
	if all {
		return dnsNames
	}
	return Config{Group: i.Group, Solver: i.solver}.selected(i.acme.Solvers, labels, orderedNames(dnsNames, "", nil).dns)
}

// Issuers returns those that a Certificate in the namespace can use, ClusterIssuers
// first; "" is for all namespaces. An error says what could not be read: the list has
// the rest, if there is any.
func (c *Client) Issuers(ctx context.Context, namespace string) (list []Issuer, err error) {
	clusterIssuers, errCluster := c.CM.CertmanagerV1().ClusterIssuers().List(ctx, metav1.ListOptions{})
	errCluster = Explain(errCluster, "reading ClusterIssuers")
	if errCluster != nil && !apierrors.IsForbidden(errCluster) {
		return nil, errCluster
	}
	if errCluster == nil {
		for _, i := range clusterIssuers.Items {
			list = c.add(list, kindClusterIssuer, i.Name, i.Spec)
		}
	}
	issuers, errIssuers := c.CM.CertmanagerV1().Issuers(namespace).List(ctx, metav1.ListOptions{})
	switch errIssuers = Explain(errIssuers, "reading Issuers"+within(namespace)); {
	case errIssuers != nil && errCluster != nil:
		return nil, fmt.Errorf("%w; %w", errCluster, errIssuers)
	case errIssuers != nil:
		return list, errIssuers
	}
	for _, i := range issuers.Items {
		list = c.add(list, kindIssuer, i.Name, i.Spec)
	}
	return list, errCluster
}

// within says in which namespace something is, or was looked for; nothing for all.
func within(namespace string) string {
	if namespace == "" {
		return ""
	}
	return " in namespace " + namespace
}

// HasNamespace reports whether a namespace exists. One of which that cannot be told, for
// want of the right, is taken to exist.
func (c *Client) HasNamespace(ctx context.Context, name string) bool {
	_, err := c.kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	return !apierrors.IsNotFound(err)
}

func (c *Client) add(list []Issuer, kind, name string, spec cmv1.IssuerSpec) []Issuer {
	for w := range webhooks(spec.ACME, c.solver) {
		return append(list, Issuer{Kind: kind, Name: name, Group: w.GroupName, acme: spec.ACME, solver: c.solver})
	}
	return list
}

// Denied returns why cert-manager could not create the Order for a Certificate that
// is being issued: the gate's denial, or another error. Empty if it could, or has not
// tried yet.
func (c *Client) Denied(ctx context.Context, certificate *cmv1.Certificate) (reason string, err error) {
	list, err := c.CM.CertmanagerV1().CertificateRequests(certificate.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", Explain(err, "reading CertificateRequests in namespace "+certificate.Namespace)
	}
	for _, r := range list.Items {
		if r.Annotations[cmv1.CertificateNameKey] != certificate.Name || r.Annotations[cmv1.CertificateRequestRevisionAnnotationKey] != nextRevision(certificate) {
			continue
		}
		if state := stateOf(&r); state.denied {
			_, text, cut := strings.Cut(state.message, " denied the request: ") // the API server's words before a webhook's
			if !cut {
				text = state.message
			}
			return text, nil
		}
	}
	return "", nil
}

// Explain says what an error of the API server means, to what, and what to do. It is
// for the commands, which have --kubeconfig and --context; serve has neither.
func Explain(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: you may not: %w; ask whoever administers the cluster for that right", what, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: the cluster does not know you: log in again, or choose another --kubeconfig or --context", what)
	case apierrors.IsNotFound(err) && strings.Contains(err.Error(), "could not find the requested resource"):
		return fmt.Errorf("%s: this cluster does not know cert-manager's resources; install cert-manager first, or choose another --context", what)
	case apierrors.ReasonForError(err) == metav1.StatusReasonUnknown:
		return fmt.Errorf("%s: the cluster cannot be reached (%w); choose another --kubeconfig or --context", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
