package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/miekg/dns"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/dnstest"
	"github.com/signpost-acme/signpost/internal/poll"
)

// fakeAPI is an API server that keeps what it is given, by path. A list is an
// object like any other.
type fakeAPI struct {
	mu      sync.Mutex
	objects map[string]any
	may     func(*http.Request) bool // what its user may; nil for everything
}

const (
	certificatesPath = "/apis/cert-manager.io/v1/namespaces/web/certificates"
	requestsPath     = "/apis/cert-manager.io/v1/namespaces/web/certificaterequests"
	challengesPath   = "/apis/acme.cert-manager.io/v1/namespaces/web/challenges"
	issuersPath      = "/apis/cert-manager.io/v1/namespaces/web/issuers"
	clusterPath      = "/apis/cert-manager.io/v1/clusterissuers"
	apiServicePath   = "/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.acme.example.com"
)

func (f *fakeAPI) set(path string, object any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[path] = object
}

func (f *fakeAPI) certificate(name string) (c cmv1.Certificate, there bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, there = f.objects[certificatesPath+"/"+name].(cmv1.Certificate)
	return c, there
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	answer, at := f.objects[r.URL.Path], r.URL.Path
	if f.may != nil && !f.may(r) {
		answer = forbidden
	}
	if strings.Contains(at, "/proxy/") && r.URL.RawQuery != "" && !r.URL.Query().Has("q") { // the page refuses what it does not know
		answer = metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonBadRequest, Code: 400, Message: r.URL.RawQuery}
	}
	if r.Method == http.MethodPost && at == certificatesPath {
		var c cmv1.Certificate
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.Generation = 1
		at = path.Join(at, c.Name)
		if answer = f.objects[at]; answer == nil {
			f.objects[at], answer = c, c
		} else {
			answer = metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonAlreadyExists, Code: 409}
		}
	}
	if answer == nil {
		answer = metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonNotFound, Code: 404, Message: r.URL.Path + " not found"}
	}
	if s, ok := answer.(metav1.Status); ok {
		w.WriteHeader(int(s.Code))
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// typed gives a list the kind without which clients do not take it.
func typed[L any](version, kind string, list L, set func(*L, metav1.TypeMeta)) L {
	set(&list, metav1.TypeMeta{APIVersion: version, Kind: kind})
	return list
}

func acmeIssuer(solvers ...acmev1.ACMEChallengeSolver) cmv1.IssuerSpec {
	return cmv1.IssuerSpec{IssuerConfig: cmv1.IssuerConfig{ACME: &acmev1.ACMEIssuer{Solvers: solvers}}}
}

func signpostSolver(selector *acmev1.CertificateDNSNameSelector) acmev1.ACMEChallengeSolver {
	return acmev1.ACMEChallengeSolver{Selector: selector, DNS01: &acmev1.ACMEChallengeSolverDNS01{
		Webhook: &acmev1.ACMEIssuerDNS01ProviderWebhook{GroupName: "acme.example.com", SolverName: "signpost"}}}
}

// session is a signpost issue that runs against a fakeAPI.
type session struct {
	*fakeAPI
	out  buffer
	done chan int
}

// buffer may be written to and read at the same time.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }

func (b *buffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

// newAPI returns an API server with a ClusterIssuer le that has those solvers, and
// the kubeconfig for it.
func newAPI(t *testing.T, annotations map[string]string, solvers ...acmev1.ACMEChallengeSolver) (*fakeAPI, string) {
	t.Helper()
	api := &fakeAPI{objects: map[string]any{
		clusterPath: typed("cert-manager.io/v1", "ClusterIssuerList", cmv1.ClusterIssuerList{Items: []cmv1.ClusterIssuer{{
			ObjectMeta: metav1.ObjectMeta{Name: "le"}, Spec: acmeIssuer(solvers...)}}}, func(l *cmv1.ClusterIssuerList, m metav1.TypeMeta) { l.TypeMeta = m }),
		issuersPath:    typed("cert-manager.io/v1", "IssuerList", cmv1.IssuerList{}, func(l *cmv1.IssuerList, m metav1.TypeMeta) { l.TypeMeta = m }),
		challengesPath: typed("acme.cert-manager.io/v1", "ChallengeList", acmev1.ChallengeList{}, func(l *acmev1.ChallengeList, m metav1.TypeMeta) { l.TypeMeta = m }),
		apiServicePath: metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x", Annotations: annotations}},
	}}
	api.requests()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters: [{name: x, cluster: {server: '%s'}}]\ncontexts: [{name: x, context: {cluster: x, user: x, namespace: web}}]\nusers: [{name: x, user: {token: x}}]\n", server.URL)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return api, kubeconfig
}

// requests are those that are in namespace web from now on.
func (f *fakeAPI) requests(list ...cmv1.CertificateRequest) {
	f.set(requestsPath, typed("cert-manager.io/v1", "CertificateRequestList", cmv1.CertificateRequestList{Items: list}, func(l *cmv1.CertificateRequestList, m metav1.TypeMeta) { l.TypeMeta = m }))
}

// deniedRequest is the request for a Certificate whose Order cert-manager could not make.
func deniedRequest(certificate, revision, text string) cmv1.CertificateRequest {
	return cmv1.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: certificate + "-" + revision, Annotations: map[string]string{
			cmv1.CertificateNameKey: certificate, cmv1.CertificateRequestRevisionAnnotationKey: revision}},
		Status: cmv1.CertificateRequestStatus{Conditions: []cmv1.CertificateRequestCondition{{
			Type: cmv1.CertificateRequestConditionReady, Status: cmmeta.ConditionFalse, Reason: cmv1.CertificateRequestReasonPending,
			Message: "Failed create new order resource web/x: admission webhook \"others.orders.signpost.dev\" denied the request: " + text}}},
	}
}

// issue starts a command. It ends with the test.
func (f *fakeAPI) issue(t *testing.T, kubeconfig, resolver string, args ...string) *session {
	t.Helper()
	s := &session{fakeAPI: f, done: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		s.done <- run(ctx, append([]string{"issue", "--kubeconfig", kubeconfig, "--resolver", resolver, "--zone", "acme.example.com"}, args...), &s.out, &s.out)
	}()
	t.Cleanup(func() { cancel(); s.wait(t) })
	return s
}

func (s *session) wait(t *testing.T) (code int) {
	t.Helper()
	select {
	case code = <-s.done:
		s.done <- code
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not end:\n%s", s.out.String())
	}
	return code
}

func (s *session) says(t *testing.T, want string) {
	t.Helper()
	poll.Until(t, 30*time.Second, "it says so", func() error {
		if out := s.out.String(); !strings.Contains(out, want) {
			return fmt.Errorf("no %q in\n%s", want, out)
		}
		return nil
	})
}

// ready makes cert-manager done with a Certificate.
func (s *session) ready(t *testing.T, name string) {
	t.Helper()
	c, there := s.certificate(name)
	if !there {
		t.Fatalf("there is no Certificate %s", name)
	}
	c.Status.Conditions = []cmv1.CertificateCondition{{Type: cmv1.CertificateConditionReady, Status: cmmeta.ConditionTrue, ObservedGeneration: c.Generation}}
	s.set(certificatesPath+"/"+name, c)
}

// records is a DNS in which records come and go.
type records struct {
	mu   sync.Mutex
	here map[string]string // CNAMEs, names with final dots
	at   string            // the resolver
}

func newRecords(t *testing.T, address string) *records {
	w := dnstest.New(t)
	r := &records{here: map[string]string{}, at: w.Resolver(address)}
	w.Hook(address, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		m := dnstest.Reply(q)
		m.RecursionAvailable = true
		name := strings.ToLower(q.Question[0].Name)
		if to := r.here[name]; to != "" && q.Question[0].Qtype == dns.TypeCNAME {
			m.Answer = []dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: to}}
		} else if to == "" {
			m.Rcode = dns.RcodeNameError
		}
		return m, true
	})
	return r
}

func (r *records) add(name, to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.here[name+"."] = to + "."
}

const issueTarget = "01917426-a1cd-547e-bc8e-ca4d7b697e62.acme.example.com"

// A request waits at the gate: the record that is missing is shown, by a look of
// one's own, and what cert-manager heard when nothing is missing.
func TestIssueWaitsAtTheGate(t *testing.T) {
	api, kubeconfig := newAPI(t, nil, signpostSolver(nil))
	dns := newRecords(t, "127.53.1.53")
	s := api.issue(t, kubeconfig, dns.at, "*.example.com")
	s.says(t, "_acme-challenge.example.com.  CNAME  "+issueTarget+".")
	s.says(t, "created Certificate wildcard-example-com in namespace web")
	s.requests(deniedRequest("other", "1", "not this one"), deniedRequest("wildcard-example-com", "7", "nor this"), deniedRequest("wildcard-example-com", "1", "Signpost lets this Order through when …"))
	s.says(t, "the request waits at the gate")
	s.says(t, "… Add the record _acme-challenge.example.com CNAME "+issueTarget+" at the DNS provider of example.com.")
	dns.add("_acme-challenge.example.com", issueTarget)
	s.says(t, "the record _acme-challenge.example.com is seen")
	s.says(t, "… cert-manager to try again, now that the records are seen; what it heard last: Signpost lets this Order through")
	s.requests()
	s.says(t, "… cert-manager to order the certificate at the CA")
	s.ready(t, "wildcard-example-com")
	if code := s.wait(t); code != exitFine {
		t.Errorf("exit code %d", code)
	}
	for _, not := range []string{"not this one", "nor this"} {
		if strings.Contains(s.out.String(), not) {
			t.Errorf("%q in\n%s", not, s.out.String())
		}
	}
	s.says(t, "The certificate is in Secret wildcard-example-com, in namespace web.")
}

// A name that the Issuer's selectors send to HTTP-01 or to another solver needs no
// record, and none is looked for.
func TestIssueKnowsTheSelection(t *testing.T) {
	zones := func(list ...string) *acmev1.CertificateDNSNameSelector {
		return &acmev1.CertificateDNSNameSelector{DNSZones: list}
	}
	http01 := acmev1.ACMEChallengeSolver{HTTP01: &acmev1.ACMEChallengeSolverHTTP01{}}
	labelled := signpostSolver(&acmev1.CertificateDNSNameSelector{MatchLabels: map[string]string{"dns": "signpost"}})
	dns := newRecords(t, "127.53.1.54")
	for _, tc := range []struct {
		name        string
		annotations map[string]string
		solvers     []acmev1.ACMEChallengeSolver
		args        []string
		there       *cmv1.Certificate
		says, not   []string
	}{
		{
			name: "one name of two", solvers: []acmev1.ACMEChallengeSolver{http01, signpostSolver(zones("example.com"))}, args: []string{"www.example.com", "shop.example.net"},
			says: []string{"_acme-challenge.www.example.com.  CNAME  "}, not: []string{"_acme-challenge.shop.example.net"},
		},
		{
			name: "none", solvers: []acmev1.ACMEChallengeSolver{http01, signpostSolver(zones("example.com"))}, args: []string{"shop.example.net"},
			says: []string{"No record is needed: ClusterIssuer/le has other solvers for shop.example.net."}, not: []string{"_acme-challenge"},
		},
		{
			name: "a public suffix that does not come to us", solvers: []acmev1.ACMEChallengeSolver{http01, signpostSolver(zones("example.com"))}, args: []string{"co.uk"},
			says: []string{"No record is needed"},
		},
		{
			name: "by the labels of a Certificate that is there", solvers: []acmev1.ACMEChallengeSolver{http01, labelled}, args: []string{"www.example.com"},
			there: &cmv1.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "www-example-com", Labels: map[string]string{"dns": "signpost"}},
				Spec: cmv1.CertificateSpec{DNSNames: []string{"www.example.com"}, IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: "le"}}},
			says: []string{"is there already", "_acme-challenge.www.example.com.  CNAME  "},
		},
		{
			name: "by labels that a new one has not", solvers: []acmev1.ACMEChallengeSolver{http01, labelled}, args: []string{"www.example.com"},
			says: []string{"No record is needed"},
		},
		{
			name: "strict namespaces: every name, for the Certificate's namespace", annotations: map[string]string{"signpost.dev/strict-namespaces": "true"},
			solvers: []acmev1.ACMEChallengeSolver{http01, signpostSolver(zones("example.org"))}, args: []string{"www.example.com"},
			says: []string{"_acme-challenge.www.example.com.  CNAME  "}, not: []string{"No record"},
		},
		{
			name: "strict namespaces without the gate", annotations: map[string]string{"signpost.dev/strict-namespaces": "true", "signpost.dev/order-gate": "false"},
			solvers: []acmev1.ACMEChallengeSolver{http01, signpostSolver(zones("example.org"))}, args: []string{"www.example.com"},
			says: []string{"No record is needed"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			api, kubeconfig := newAPI(t, tc.annotations, tc.solvers...)
			if tc.there != nil {
				api.set(certificatesPath+"/"+tc.there.Name, *tc.there)
			}
			s := api.issue(t, kubeconfig, dns.at, tc.args...)
			for _, want := range tc.says {
				s.says(t, want)
			}
			s.says(t, "… ")
			for _, not := range tc.not {
				if strings.Contains(s.out.String(), not) {
					t.Errorf("%q in\n%s", not, s.out.String())
				}
			}
		})
	}
}

// What can never be let through is said in the gate's words, and a user who may not
// read requests waits all the same.
func TestIssueRefused(t *testing.T) {
	api, kubeconfig := newAPI(t, map[string]string{"signpost.dev/strict-namespaces": "true"}, signpostSolver(nil))
	dns := newRecords(t, "127.53.1.55")
	api.set(requestsPath, metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: 403})
	s := api.issue(t, kubeconfig, dns.at, "example.com")
	s.says(t, "… Add the record _acme-challenge.example.com CNAME ")
	_, target, _ := strings.Cut(s.out.String(), "_acme-challenge.example.com.  CNAME  ")
	target, _, _ = strings.Cut(target, ".\n")
	dns.add("_acme-challenge.example.com", target)
	s.says(t, "is seen")
	s.says(t, "… cert-manager to order")
	s.requests(deniedRequest("example-com", "1", "ClusterIssuer/le uses the ACME account of a ClusterIssuer with strict namespaces, and is not among orderGate.issuers"))
	s.says(t, "is not among orderGate.issuers")
}
