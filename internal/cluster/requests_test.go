package cluster

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

func aRequest(name string, text []byte, conditions ...cmv1.CertificateRequestCondition) *cmv1.CertificateRequest {
	return &cmv1.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: name, UID: types.UID("uid-" + name), Annotations: map[string]string{cmv1.CertificateNameKey: "cert"}},
		Spec:       cmv1.CertificateRequestSpec{Request: text, IssuerRef: cmmeta.IssuerReference{Kind: "Issuer", Name: "mine"}},
		Status:     cmv1.CertificateRequestStatus{Conditions: conditions},
	}
}

func ready(status cmmeta.ConditionStatus, reason, message string) cmv1.CertificateRequestCondition {
	return cmv1.CertificateRequestCondition{Type: cmv1.CertificateRequestConditionReady, Status: status, Reason: reason, Message: message}
}

const noOrder = "Failed create new order resource web/cert-1-123: admission webhook denied the request: Signpost …"

// TestRequests: which CertificateRequests wait for an Order, and of which
// the status says that it was denied.
func TestRequests(t *testing.T) {
	text := csr(t, "", nil, "example.com")
	pending := func(message string) cmv1.CertificateRequestCondition { return ready("False", "Pending", message) }
	condition := func(c cmv1.CertificateRequestConditionType) cmv1.CertificateRequestCondition {
		return cmv1.CertificateRequestCondition{Type: c, Status: "True", Reason: "x"}
	}
	approved := condition(cmv1.CertificateRequestConditionApproved)
	change := func(r *cmv1.CertificateRequest, f func(*cmv1.CertificateRequest)) *cmv1.CertificateRequest {
		f(r)
		return r
	}
	for _, tc := range []struct {
		request *cmv1.CertificateRequest
		is      bool
		denied  bool
		domains string
	}{
		{request: aRequest("new", text), is: true, domains: "example.com"},
		{request: aRequest("approved", text, approved), is: true, domains: "example.com"},
		{request: aRequest("denied", text, approved, pending(noOrder)), is: true, denied: true, domains: "example.com"},
		{request: aRequest("ordered", text, approved, pending("Waiting on certificate issuance from order web/cert-1-123: \"pending\"")), is: true, domains: "example.com"},
		{request: aRequest("issued", text, ready("True", "Issued", "")), is: false},
		{request: aRequest("failed", text, ready("False", "Failed", "")), is: false},
		{request: aRequest("ready-denied", text, ready("False", "Denied", "")), is: false},
		{request: aRequest("condition-denied", text, condition(cmv1.CertificateRequestConditionDenied)), is: false},
		{request: aRequest("invalid", text, pending(noOrder), condition(cmv1.CertificateRequestConditionInvalidRequest)), is: false},
		{request: aRequest("garbage", []byte("garbage")), is: false},
		{request: aRequest("no-csr", []byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")), is: false},
		{request: aRequest("empty", nil), is: false},
		{request: aRequest("common-name", csr(t, "a.example.com", nil)), is: true, domains: "a.example.com"},
		{request: aRequest("capitals", csr(t, "", nil, "A.Example.com", "*.a.example.com")), is: true, domains: "a.example.com"},
		{request: aRequest("bad-name", csr(t, "", nil, "x.acme.example.com")), is: true},
		{request: aRequest("only-ip", csr(t, "", []net.IP{net.IPv4(192, 0, 2, 1)})), is: false},
		{request: change(aRequest("other-group", text), func(r *cmv1.CertificateRequest) { r.Spec.IssuerRef.Group = "other.example.com" }), is: false},
		{request: change(aRequest("our-group", text), func(r *cmv1.CertificateRequest) { r.Spec.IssuerRef.Group = "cert-manager.io" }), is: true, domains: "example.com"},
		{request: change(aRequest("http01", text), func(r *cmv1.CertificateRequest) { r.Spec.IssuerRef.Name = "http01" }), is: false},
		{request: change(aRequest("missing", text), func(r *cmv1.CertificateRequest) { r.Spec.IssuerRef.Name = "missing" }), is: false},
		{request: change(aRequest("labels", text), func(r *cmv1.CertificateRequest) { r.Spec.IssuerRef.Name = "labels" }), is: false},
		{request: change(aRequest("labels-match", text), func(r *cmv1.CertificateRequest) {
			r.Spec.IssuerRef.Name, r.Labels = "labels", map[string]string{"a": "1"}
		}), is: true, domains: "example.com"},
	} {
		t.Run(tc.request.Name, func(t *testing.T) {
			w := newWorld(t, nil, tc.request, issuerIn("web", "mine", uriA, ours("")), issuerIn("web", "http01", uriA, http01()),
				issuerIn("web", "labels", uriA, only(ours(""), selector{MatchLabels: map[string]string{"a": "1"}})))
			list := w.Requests()
			if len(list) != map[bool]int{true: 1}[tc.is] {
				t.Fatalf("%d requests, want one: %v", len(list), tc.is)
			}
			if !tc.is {
				return
			}
			got := list[0]
			names, _ := domains(got.Wanted)
			if got.Denied != tc.denied || strings.Join(names, " ") != tc.domains || (tc.domains == "") != (got.Refused != "") {
				t.Errorf("%+v", got)
			}
			if got.Namespace != "web" || got.Name != tc.request.Name || got.UID != tc.request.UID || got.Certificate != "cert" || got.Signing {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestSigningRequests: those of Kubernetes, whose Orders for ClusterIssuers are in
// the cluster resource namespace.
func TestSigningRequests(t *testing.T) {
	text := csr(t, "", nil, "example.com")
	signing := func(name, signer string, text []byte, conditions ...certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequest {
		r := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: signer, Request: text}}
		for _, c := range conditions {
			r.Status.Conditions = append(r.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: c, Status: "True"})
		}
		return r
	}
	issued := signing("issued", "clusterissuers.cert-manager.io/le", text)
	issued.Status.Certificate = []byte("x")
	objects := []runtime.Object{
		signing("cluster", "clusterissuers.cert-manager.io/le", text, certificatesv1.CertificateApproved),
		signing("dotted", "clusterissuers.cert-manager.io/le.prod", text),
		signing("issuer", "issuers.cert-manager.io/web.mine", text),
		signing("failed", "clusterissuers.cert-manager.io/le", text, certificatesv1.CertificateFailed),
		signing("denied", "clusterissuers.cert-manager.io/le", text, certificatesv1.CertificateDenied),
		signing("kubelet", "kubernetes.io/kubelet-serving", text),
		signing("no-namespace", "issuers.cert-manager.io/mine", text),
		signing("garbage", "clusterissuers.cert-manager.io/le", []byte("x")),
		issued, issuerIn("web", "mine", uriA, ours("")), clusterIssuer("le", uriB, ours("")), clusterIssuer("le.prod", uriB, ours("")),
	}
	w := newWorld(t, nil, objects...)
	got := map[string]string{}
	for _, r := range w.Requests() {
		list, scope := domains(r.Wanted)
		if !r.Signing || r.Denied || r.Namespace != "" || !slices.Equal(list, []string{"example.com"}) {
			t.Errorf("%+v", r)
		}
		got[r.Name] = scope
	}
	if len(got) != 3 || got["cluster"] != "cert-manager" || got["dotted"] != "cert-manager" || got["issuer"] != "web" {
		t.Errorf("scopes %v", got)
	}
	strict := newWorld(t, func(c *Config) { c.Strict, c.Protected = true, protect("ClusterIssuer/le") }, objects...)
	for _, r := range strict.Requests() {
		if r.Name == "cluster" && !strings.Contains(r.Refused, "orderGate.clusterNamespace") {
			t.Errorf("strict: %+v", r)
		}
	}
}

// A nudge changes an annotation of the one object that is meant, and nothing else.
func TestNudgeRequest(t *testing.T) {
	text := csr(t, "", nil, "example.com")
	w := newWorld(t, nil, aRequest("r", text), issuerIn("web", "mine", uriA, ours("")),
		&certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "s", UID: "uid-s"}})
	ctx := context.Background()
	for _, r := range []Request{{Namespace: "web", Name: "r", UID: "uid-r"}, {Name: "s", UID: "uid-s", Signing: true}, {Namespace: "web", Name: "gone", UID: "x"}} {
		if err := w.NudgeRequest(ctx, r); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
	r, _ := w.cm.CertmanagerV1().CertificateRequests("web").Get(ctx, "r", metav1.GetOptions{})
	s, _ := w.kube.CertificatesV1().CertificateSigningRequests().Get(ctx, "s", metav1.GetOptions{})
	if r.Annotations[nudged] == "" || r.Annotations[cmv1.CertificateNameKey] != "cert" || s.Annotations[nudged] == "" {
		t.Errorf("annotations %v and %v", r.Annotations, s.Annotations)
	}
	if _, err := time.Parse(time.RFC3339Nano, r.Annotations[nudged]); err != nil {
		t.Error(err)
	}
}

// An event is made on the request and on its Certificate, once however often and by
// whomever it is said.
func TestTellRequest(t *testing.T) {
	w := newWorld(t, nil, &cmv1.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "cert", UID: "uid-cert"}})
	ctx := context.Background()
	for range 2 {
		for _, r := range []Request{{Namespace: "web", Name: "r", UID: "1", Certificate: "cert"}, {Namespace: "web", Name: "by-hand", UID: "2"}, {Namespace: "web", Name: "orphan", UID: "3", Certificate: "gone"}, {Name: "s", UID: "4", Signing: true}} {
			if err := w.TellRequest(ctx, r, "CNAMENeeded", "Add it."); err != nil {
				t.Error(err)
			}
		}
	}
	events, err := w.kube.CoreV1().Events("").List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var about []string
	for _, e := range events.Items {
		if e.Type != corev1.EventTypeWarning || e.Reason != "CNAMENeeded" || e.Message != "Add it." || e.Namespace == "" {
			t.Errorf("%+v", e)
		}
		about = append(about, e.Namespace+" "+e.InvolvedObject.Kind+"/"+e.InvolvedObject.Name)
	}
	slices.Sort(about)
	want := []string{"default CertificateSigningRequest/s", "web Certificate/cert", "web CertificateRequest/by-hand", "web CertificateRequest/orphan", "web CertificateRequest/r"}
	if !slices.Equal(about, want) {
		t.Errorf("events on %q, want %q", about, want)
	}
}

// TestIssuing: a Certificate's records are looked at between the moment in which
// its issuance begins and that in which there is a request, and not for days.
func TestIssuing(t *testing.T) {
	now := metav1.Now()
	before := metav1.NewTime(now.Add(-time.Hour))
	two := 2
	certificate := func(name string, since *metav1.Time, status cmmeta.ConditionStatus) *cmv1.Certificate {
		return &cmv1.Certificate{
			ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: name},
			Spec:       cmv1.CertificateSpec{DNSNames: []string{name + ".example.com"}, IssuerRef: cmmeta.IssuerReference{Name: "mine"}},
			Status:     cmv1.CertificateStatus{Conditions: []cmv1.CertificateCondition{{Type: cmv1.CertificateConditionIssuing, Status: status, LastTransitionTime: since}}},
		}
	}
	of := func(name, revision string) *cmv1.CertificateRequest {
		r := aRequest(name+"-"+revision, nil)
		r.Annotations = map[string]string{cmv1.CertificateNameKey: name, cmv1.CertificateRequestRevisionAnnotationKey: revision}
		return r
	}
	renewed, requested := certificate("renewed", &now, "True"), certificate("requested", &now, "True")
	renewed.Status.Revision, requested.Status.Revision = &two, &two
	foreignGroup, http := certificate("foreign", &now, "True"), certificate("http", &now, "True")
	foreignGroup.Spec.IssuerRef.Group, http.Spec.IssuerRef.Name = "other.example.com", "http"
	w := newWorld(t, nil, issuerIn("web", "mine", uriA, ours("")), issuerIn("web", "http", uriA, http01()),
		certificate("new", &now, "True"), certificate("done", &now, "False"), certificate("stuck", &before, "True"), certificate("untimed", nil, "True"),
		renewed, of("renewed", "2"), requested, of("requested", "3"), foreignGroup, http)
	var got []string
	for _, wanted := range w.Issuing() {
		list, _ := domains(wanted)
		got = append(got, list...)
	}
	slices.Sort(got)
	if want := []string{"new.example.com", "renewed.example.com", "untimed.example.com"}; !slices.Equal(got, want) {
		t.Errorf("Issuing = %q, want %q", got, want)
	}
}

// Whatever Requests and Issuing depend on is told by Changed, Issuers and deletions
// included.
func TestChanged(t *testing.T) {
	w := newWorld(t, nil, issuerIn("web", "mine", uriA, ours("")))
	ctx := context.Background()
	drain := func() {
		for quiet := false; !quiet; {
			select {
			case <-w.Changed():
			case <-time.After(300 * time.Millisecond):
				quiet = true
			}
		}
	}
	changed := func(what string) {
		t.Helper()
		select {
		case <-w.Changed():
		case <-time.After(10 * time.Second):
			t.Errorf("%s: not told", what)
		}
		drain()
	}
	drain()
	_, _ = w.cm.CertmanagerV1().CertificateRequests("web").Create(ctx, aRequest("r", nil), metav1.CreateOptions{})
	changed("a request")
	_, _ = w.cm.CertmanagerV1().Issuers("web").Update(ctx, issuerIn("web", "mine", uriB, ours("")), metav1.UpdateOptions{})
	changed("an Issuer's account")
	_ = w.cm.CertmanagerV1().Issuers("web").Delete(ctx, "mine", metav1.DeleteOptions{})
	changed("an Issuer's end")
}

// What is remembered of requests follows every change, of themselves and of Issuers.
func TestRequestsFollowChanges(t *testing.T) {
	text := csr(t, "", nil, "example.com")
	r := aRequest("r", text)
	r.ResourceVersion = "1"
	w := newWorld(t, nil, r, issuerIn("web", "mine", uriA, ours("")))
	ctx, requests, issuers := context.Background(), w.cm.CertmanagerV1().CertificateRequests("web"), w.cm.CertmanagerV1().Issuers("web")
	is := func(what string, ok func([]Request) bool) {
		t.Helper()
		t.Log(what)
		w.eventually(t, func() bool {
			first := ok(w.Requests()) // the second time it is remembered
			return ok(w.Requests()) && first
		})
	}
	is("a request", func(l []Request) bool { return len(l) == 1 && !l[0].Denied })
	denied := aRequest("r", text, ready("False", "Pending", noOrder))
	denied.ResourceVersion = "2"
	_, _ = requests.Update(ctx, denied, metav1.UpdateOptions{})
	is("it is denied", func(l []Request) bool { return len(l) == 1 && l[0].Denied })
	_, _ = issuers.Update(ctx, issuerIn("web", "mine", uriA, http01()), metav1.UpdateOptions{})
	is("its name goes elsewhere", func(l []Request) bool { return len(l) == 0 })
	_, _ = issuers.Update(ctx, issuerIn("web", "mine", uriA, ours("")), metav1.UpdateOptions{})
	is("and comes back", func(l []Request) bool { return len(l) == 1 })
	_ = issuers.Delete(ctx, "mine", metav1.DeleteOptions{})
	is("its Issuer is deleted", func(l []Request) bool { return len(l) == 0 })
	_, _ = issuers.Create(ctx, issuerIn("web", "mine", uriA, ours("")), metav1.CreateOptions{})
	is("and made again", func(l []Request) bool { return len(l) == 1 })
	_ = requests.Delete(ctx, "r", metav1.DeleteOptions{})
	is("it is gone", func(l []Request) bool { return len(l) == 0 })
}
