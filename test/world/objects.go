package world

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/poll"
)

// IssuerOptions are the differences between Issuers.
type IssuerOptions struct {
	Namespace string // empty for a ClusterIssuer
	Name      string
	Follow    bool   // cnameStrategy
	SelfCheck bool   // cert-manager's own, instead of going on at once
	NoGate    bool   // checkCNAME: false
	Account   string // Secret with the key of the ACME account; empty: one of its own
	HTTP01    bool   // every name goes to HTTP-01, and nothing solves that here

	RFC2136 *acmev1.ACMEIssuerDNS01ProviderRFC2136 // instead of signpost
}

// CreateIssuer makes an Issuer or ClusterIssuer that solves through signpost
// with an account at Pebble.
func (w *World) CreateIssuer(ctx context.Context, o IssuerOptions) error {
	solver := acmev1.ACMEChallengeSolver{DNS01: &acmev1.ACMEChallengeSolverDNS01{
		Webhook: &acmev1.ACMEIssuerDNS01ProviderWebhook{GroupName: Zone, SolverName: signpost},
	}}
	if o.RFC2136 != nil {
		solver.DNS01 = &acmev1.ACMEChallengeSolverDNS01{RFC2136: o.RFC2136}
	}
	if o.Follow {
		solver.DNS01.CNAMEStrategy = acmev1.FollowStrategy
	}
	if o.NoGate {
		solver.DNS01.Webhook.Config = &apiextensionsv1.JSON{Raw: []byte(`{"checkCNAME": false}`)}
	}
	if o.HTTP01 {
		solver = acmev1.ACMEChallengeSolver{HTTP01: &acmev1.ACMEChallengeSolverHTTP01{Ingress: &acmev1.ACMEChallengeSolverHTTP01Ingress{}}}
	}
	if !o.SelfCheck && !o.HTTP01 {
		solver.WaitInsteadOfSelfCheck = &metav1.Duration{}
	}
	spec := cmv1.IssuerSpec{IssuerConfig: cmv1.IssuerConfig{ACME: &acmev1.ACMEIssuer{
		Server: DirectoryURL, CABundle: w.ca.pem(), Email: "owner@example.com",
		PrivateKey: cmmeta.SecretKeySelector{LocalObjectReference: cmmeta.LocalObjectReference{Name: cmp.Or(o.Account, o.Name+"-account")}},
		Solvers:    []acmev1.ACMEChallengeSolver{solver},
	}}}
	if o.Namespace == "" {
		_, err := w.CM.CertmanagerV1().ClusterIssuers().Create(ctx, &cmv1.ClusterIssuer{ObjectMeta: metav1.ObjectMeta{Name: o.Name}, Spec: spec}, metav1.CreateOptions{})
		return err
	}
	if err := w.Namespace(ctx, o.Namespace); err != nil {
		return err
	}
	_, err := w.CM.CertmanagerV1().Issuers(o.Namespace).Create(ctx, &cmv1.Issuer{ObjectMeta: metav1.ObjectMeta{Name: o.Name}, Spec: spec}, metav1.CreateOptions{})
	return err
}

// CreateCertificate makes a Certificate; its Secret has the same name. kind is
// Issuer or ClusterIssuer.
func (w *World) CreateCertificate(ctx context.Context, namespace, name, kind, issuer string, dnsNames ...string) error {
	_, err := w.CM.CertmanagerV1().Certificates(namespace).Create(ctx, &cmv1.Certificate{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: cmv1.CertificateSpec{
			SecretName: name, DNSNames: dnsNames,
			PrivateKey: &cmv1.CertificatePrivateKey{Algorithm: cmv1.ECDSAKeyAlgorithm, RotationPolicy: cmv1.RotationPolicyAlways},
			IssuerRef:  cmmeta.IssuerReference{Kind: kind, Name: issuer},
		},
	}, metav1.CreateOptions{})
	return err
}

// WaitReady waits until a Certificate is Ready and returns what is in its
// Secret. The error says how far it has come.
func (w *World) WaitReady(ctx context.Context, namespace, name string) (*x509.Certificate, error) {
	const forever = 24 * time.Hour // ctx has the end
	going, stop := context.WithCancel(ctx)
	defer stop()
	err := poll.Try(going, forever, fmt.Sprintf("certificate %s/%s is Ready", namespace, name), func() error {
		if died := w.Err(); died != nil {
			stop()
			return died
		}
		c, err := w.CM.CertmanagerV1().Certificates(namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && !cluster.IsReady(c) {
			err = errors.New("not yet")
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, errors.New(w.Explain(namespace)))
	}
	return w.Leaf(ctx, namespace, name)
}

// Leaf returns the certificate in a Secret.
func (w *World) Leaf(ctx context.Context, namespace, name string) (*x509.Certificate, error) {
	s, err := w.Kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(s.Data["tls.crt"])
	if block == nil {
		return nil, fmt.Errorf("secret %s/%s has no certificate in it", namespace, name)
	}
	return x509.ParseCertificate(block.Bytes)
}

// Challenges returns the Challenges of a namespace.
func (w *World) Challenges(ctx context.Context, namespace string) ([]acmev1.Challenge, error) {
	list, err := w.CM.AcmeV1().Challenges(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// Explain says what cert-manager says about everything in a namespace that is under way.
func (w *World) Explain(namespace string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var b strings.Builder
	if requests, err := w.CM.CertmanagerV1().CertificateRequests(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for _, r := range requests.Items {
			fmt.Fprintf(&b, "request %s: %v\n", r.Name, r.Status.Conditions)
		}
	}
	if orders, err := w.CM.AcmeV1().Orders(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for _, o := range orders.Items {
			fmt.Fprintf(&b, "order %s: %s %s\n", o.Name, o.Status.State, o.Status.Reason)
		}
	}
	challenges, _ := w.Challenges(ctx, namespace)
	for _, c := range challenges {
		fmt.Fprintf(&b, "challenge %s: %s, presented %v: %s\n", c.Spec.DNSName, c.Status.State, c.Status.Presented, c.Status.Reason)
	}
	for _, r := range w.Replicas {
		fmt.Fprintf(&b, "--- %s\n%s\n", r.Name, r.Tail())
	}
	return b.String()
}
