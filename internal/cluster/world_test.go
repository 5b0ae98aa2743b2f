package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	cmfake "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/fake"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/zone"
)

// world is a cluster without an API server.
type world struct {
	*Cluster
	kube *fake.Clientset
	cm   *cmfake.Clientset
}

const (
	group    = "acme.example.com"
	uriA     = "https://ca.example/acct/1"
	uriB     = "https://ca.example/acct/2"
	testZone = "acme.example.com"
)

// newWorld returns a Cluster that has read those objects. change changes its
// settings.
func newWorld(t testing.TB, change func(*Config), objects ...runtime.Object) *world {
	t.Helper()
	w := notRead(t, change, objects...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	w.eventually(t, func() bool {
		for _, k := range w.kinds() {
			if !k.synced() {
				return false
			}
		}
		return true
	})
	return w
}

// notRead returns a Cluster that has not read anything, because Run is not called.
func notRead(t testing.TB, change func(*Config), objects ...runtime.Object) *world {
	t.Helper()
	z, err := zone.New(testZone)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Group: group, Solver: "signpost", Namespace: "cert-manager", Zone: z, Gate: true,
		Unchecked:  func(c *apiextensionsv1.JSON) bool { return c != nil && strings.Contains(string(c.Raw), "false") },
		Challenges: true, Certificates: true, Requests: true, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&c)
	}
	w := &world{kube: fake.NewClientset(), cm: cmfake.NewClientset()}
	for _, o := range objects {
		tracker := w.cm.Tracker()
		if gvk, _, _ := scheme.Scheme.ObjectKinds(o); len(gvk) > 0 {
			tracker = w.kube.Tracker()
		}
		if err := tracker.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	if w.Cluster, err = newCluster(c, w.kube, w.cm); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) eventually(t testing.TB, done func() bool) {
	t.Helper()
	poll.True(t, 20*time.Second, "the watch tells", done)
}

// The solvers of Issuers.

func ours(config string) acmev1.ACMEChallengeSolver {
	w := &acmev1.ACMEIssuerDNS01ProviderWebhook{GroupName: group, SolverName: "signpost"}
	if config != "" {
		w.Config = &apiextensionsv1.JSON{Raw: []byte(config)}
	}
	return acmev1.ACMEChallengeSolver{DNS01: &acmev1.ACMEChallengeSolverDNS01{Webhook: w}}
}

func otherDNS() acmev1.ACMEChallengeSolver {
	return acmev1.ACMEChallengeSolver{DNS01: &acmev1.ACMEChallengeSolverDNS01{Cloudflare: &acmev1.ACMEIssuerDNS01ProviderCloudflare{}}}
}

func http01() acmev1.ACMEChallengeSolver {
	return acmev1.ACMEChallengeSolver{HTTP01: &acmev1.ACMEChallengeSolverHTTP01{Ingress: &acmev1.ACMEChallengeSolverHTTP01Ingress{}}}
}

type selector = acmev1.CertificateDNSNameSelector

func only(s acmev1.ACMEChallengeSolver, selector selector) acmev1.ACMEChallengeSolver {
	s.Selector = &selector
	return s
}

type solvers = []acmev1.ACMEChallengeSolver

func spec(secret string, list solvers) cmv1.IssuerSpec {
	return cmv1.IssuerSpec{IssuerConfig: cmv1.IssuerConfig{ACME: &acmev1.ACMEIssuer{
		Server: "https://ca.example/dir", PrivateKey: cmmeta.SecretKeySelector{LocalObjectReference: cmmeta.LocalObjectReference{Name: secret}}, Solvers: list,
	}}}
}

func registered(uri string) cmv1.IssuerStatus {
	if uri == "" {
		return cmv1.IssuerStatus{}
	}
	return cmv1.IssuerStatus{
		ACME:       &acmev1.ACMEIssuerStatus{URI: uri},
		Conditions: []cmv1.IssuerCondition{{Type: cmv1.IssuerConditionReady, Status: cmmeta.ConditionTrue, ObservedGeneration: 1}},
	}
}

// clusterIssuer returns one whose account key is in a Secret of its own.
func clusterIssuer(name, uri string, list ...acmev1.ACMEChallengeSolver) *cmv1.ClusterIssuer {
	return &cmv1.ClusterIssuer{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1}, Spec: spec("key-of-"+name, list), Status: registered(uri)}
}

func issuerIn(namespace, name, uri string, list ...acmev1.ACMEChallengeSolver) *cmv1.Issuer {
	return &cmv1.Issuer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1}, Spec: spec("key-of-"+name, list), Status: registered(uri)}
}

func order(namespace, kind, name string, dnsNames ...string) *acmev1.Order {
	return &acmev1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "o"},
		Spec:       acmev1.OrderSpec{IssuerRef: cmmeta.IssuerReference{Kind: kind, Name: name}, DNSNames: dnsNames},
	}
}

// csr returns a PKCS #10 request in PEM.
func csr(t testing.TB, commonName string, ips []net.IP, dnsNames ...string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: commonName}, DNSNames: dnsNames, IPAddresses: ips}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// domains are those of the targets, and the scope if it is one.
func domains(w Wanted) (list []string, scope string) {
	for _, target := range w.Targets {
		list, scope = append(list, target.Domain), target.Scope
	}
	return list, scope
}
