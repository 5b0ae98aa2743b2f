package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/zone"
)

// Where a cluster's objects are in all namespaces, and its status page.
const (
	allCertificates = "/apis/cert-manager.io/v1/certificates"
	allRequests     = "/apis/cert-manager.io/v1/certificaterequests"
	allIssuers      = "/apis/cert-manager.io/v1/issuers"
	allChallenges   = "/apis/acme.cert-manager.io/v1/challenges"
	pagePath        = "/api/v1/namespaces/dns/services/signpost:http/proxy/status.json"
)

var forbidden = metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: 403, Message: "no right"}

// issued is a Certificate of ClusterIssuer le that is valid for so many days.
func issued(namespace, name string, days int, dnsNames ...string) cmv1.Certificate {
	c := cmv1.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: cmv1.CertificateSpec{
		DNSNames: dnsNames, IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: "le"}}}
	expiry := metav1.NewTime(time.Now().Add(time.Duration(days) * 24 * time.Hour))
	renewal := metav1.NewTime(expiry.Add(-24 * time.Hour))
	c.Status.NotAfter, c.Status.RenewalTime = &expiry, &renewal
	c.Status.Conditions = []cmv1.CertificateCondition{{Type: cmv1.CertificateConditionReady, Status: cmmeta.ConditionTrue}}
	return c
}

// certificates are those that are in the cluster from now on; where is a path.
func (f *fakeAPI) certificates(where string, list ...cmv1.Certificate) {
	f.set(where, typed("cert-manager.io/v1", "CertificateList", cmv1.CertificateList{Items: list}, func(l *cmv1.CertificateList, m metav1.TypeMeta) { l.TypeMeta = m }))
}

// statusAPI is newAPI with what status asks for in all namespaces.
func statusAPI(t *testing.T, annotations map[string]string) (*fakeAPI, string) {
	t.Helper()
	api, kubeconfig := newAPI(t, annotations, signpostSolver(nil))
	api.set(allIssuers, typed("cert-manager.io/v1", "IssuerList", cmv1.IssuerList{}, func(l *cmv1.IssuerList, m metav1.TypeMeta) { l.TypeMeta = m }))
	api.set(allChallenges, typed("acme.cert-manager.io/v1", "ChallengeList", acmev1.ChallengeList{}, func(l *acmev1.ChallengeList, m metav1.TypeMeta) { l.TypeMeta = m }))
	api.set(allRequests, typed("cert-manager.io/v1", "CertificateRequestList", cmv1.CertificateRequestList{}, func(l *cmv1.CertificateRequestList, m metav1.TypeMeta) { l.TypeMeta = m }))
	return api, kubeconfig
}

func runStatus(t *testing.T, kubeconfig string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code = run(ctx, append([]string{"status", "--kubeconfig", kubeconfig}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func wantAll(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if absent, not := strings.CutPrefix(want, "!"); not == strings.Contains(text, absent) {
			t.Errorf("%s: %q is wrong about\n%s", what, want, text)
		}
	}
}

// Without a status page that may be read, the Certificates are read and the records
// looked up from here.
func TestStatusFromHere(t *testing.T) {
	api, kubeconfig := statusAPI(t, map[string]string{"signpost.dev/zone": "acme.example.com", "signpost.dev/cluster-namespace": "cert-manager", "signpost.dev/status-service": "dns/signpost:http"})
	api.set(pagePath, forbidden)
	there := newRecords(t, "127.53.7.53")
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{"good.example.com", "shared.example.com"} {
		target, err := z.Target("cert-manager", domain)
		if err != nil {
			t.Fatal(err)
		}
		there.add(target.Challenge, target.Name)
	}
	certificates := []cmv1.Certificate{
		issued("web", "good", 60, "*.good.example.com"), issued("web", "gone", 20, "gone.example.com", "shared.example.com"),
		issued("shop", "old", -1, "old.example.com"), {ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "other"}, Spec: cmv1.CertificateSpec{DNSNames: []string{"x.example.com"}, IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: "another"}}},
	}
	api.certificates(allCertificates, certificates...)
	look := func(args ...string) (int, string, string) {
		t.Helper()
		return runStatus(t, kubeconfig, append([]string{"--resolver-only", "--resolver", there.at}, args...)...)
	}

	code, out, errs := look()
	if code != exitError {
		t.Errorf("exit code %d", code)
	}
	wantAll(t, "all", out, "✕ Domains: 2 of 4 domains need a change", "1 expired, 1 at-risk, 1 renewing", "the first that is at risk expires on "+certificates[1].Status.NotAfter.UTC().Format(time.DateOnly)+", in 19 days",
		"gone.example.com", "Add this record", "shared.example.com", "Renewal at risk", "old.example.com", "!good.example.com", "!x.example.com")
	wantAll(t, "all", errs, "note: reading the status page: you may not", "looked up from this machine instead", "error: 1 certificate has expired, 1 certificate would not be renewed")

	code, out, _ = look("good.example.com", "--from-here")
	wantAll(t, "one that is well", out, "✓ Domains: 1 of 1 domain is ready", "✓ Certificates: 1 renewing\n", "✓ Ready", "renewing "+certificates[0].Status.RenewalTime.UTC().Format(time.DateOnly))
	if strings.Contains(out, "✓ DNS server") != (code == exitFine) { // which resolvers do not know here
		t.Errorf("exit code %d:\n%s", code, out)
	}
	_, out, errs = look("--all", "-o", "csv", "--from-here")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 5 || rows[0][0] != "domain" {
		t.Errorf("%v: %q", err, rows)
	}
	wantAll(t, "from here", errs, "!status page")
	_, out, _ = look("--outlook", "at-risk", "-o", "wide")
	wantAll(t, "at risk, wide", out, "FORECAST", "its renewal would not pass: cname-", " at gone.example.com", "!old.example.com", "ClusterIssuer/le")
	code, _, errs = look("none.example.com")
	if code != exitError {
		t.Errorf("exit code %d", code)
	}
	wantAll(t, "no such domain", errs, "no Certificate that uses Signpost is for none.example.com")

	// A user with rights in one namespace.
	api.set(allCertificates, forbidden)
	code, _, errs = look()
	if code != exitError {
		t.Errorf("exit code %d", code)
	}
	wantAll(t, "without rights", errs, "error: reading Certificates: you may not")
	api.certificates(certificatesPath, certificates[0])
	api.set(challengesPath, forbidden)
	_, out, errs = look("-n", "web")
	wantAll(t, "one namespace", out, "✓ Domains in namespace web: 1 of 1 domain is ready", "? Challenges in namespace web: you may not read them", "cannot be seen from this machine")
	wantAll(t, "one namespace", errs, "note: reading Challenges in namespace web: you may not", "error: Challenges in namespace web could not be read")
}

// pageOf is a status page with one domain that is at risk, and one that is well.
func pageOf(t *testing.T) (s status.Snapshot) {
	t.Helper()
	in := func(days int) *time.Time { at := time.Now().Add(time.Duration(days) * 24 * time.Hour); return &at }
	of := func(namespace, name string, f check.Finding) status.Domain {
		return status.Domain{Name: name, Scope: "cert-manager", Record: zone.Record{Name: "_acme-challenge." + name, Type: "CNAME", Value: "x.acme.example.com"}, Checks: []check.Finding{f},
			Certificates: []status.Certificate{{Namespace: namespace, Name: strings.ReplaceAll(name, ".", "-"), DNSNames: []string{name}, Issuer: "ClusterIssuer/le", Ready: true, NotAfter: in(20), RenewalTime: in(10)}}}
	}
	return status.Snapshot{At: time.Now(), Zone: "acme.example.com", Store: status.StoreState{Kind: "redis", OK: true, Synced: true},
		Replicas: []status.Replica{{Address: "192.0.2.1:53", Self: true}, {Address: "192.0.2.2:53"}}, Server: []check.Finding{{Check: "delegation", Status: check.OK}}, Domains: []status.Domain{
			of("web", "gone.example.com", check.Finding{Check: "cname-missing", Status: check.Failed, Hint: "Add the record."}),
			of("web", "good.example.com", check.Finding{Check: "cname", Status: check.OK}),
			of("shop", "fine.example.com", check.Finding{Check: "cname", Status: check.OK}),
		}}
}

// What the status page knows is shown, and nothing else is asked.
func TestStatusFromThePage(t *testing.T) {
	api, kubeconfig := statusAPI(t, map[string]string{"signpost.dev/zone": "acme.example.com", "signpost.dev/status-service": "dns/signpost:http"})
	s := pageOf(t)
	api.set(pagePath, s)
	api.set(allCertificates, forbidden)

	code, out, errs := runStatus(t, kubeconfig)
	if code != exitError || errs != "error: 1 certificate would not be renewed\n" {
		t.Errorf("exit code %d: %s", code, errs)
	}
	wantAll(t, "the page", out, "✕ Domains: 1 of 3 domains needs a change", "✕ Certificates: 1 at-risk, 2 renewing", "✓ DNS server of acme.example.com: Delegated and reachable",
		"gone.example.com  ✕ Add this record  web", "Add the record.", "!good.example.com", "!fine.example.com")
	code, out, errs = runStatus(t, kubeconfig, "-n", "shop")
	if code != exitFine || errs != "" {
		t.Errorf("exit code %d: %s", code, errs)
	}
	wantAll(t, "namespace shop", out, "✓ Domains in namespace shop: 1 of 1 domain is ready", "!DOMAIN")
	if code, out, _ = runStatus(t, kubeconfig, "--state", "ok"); code != exitError {
		t.Errorf("exit code %d", code)
	}
	wantAll(t, "state ok", out, "good.example.com", "fine.example.com", "!gone.example.com")

	_, out, _ = runStatus(t, kubeconfig, "-o", "json")
	var d struct {
		State, Headline, From, Zone string
		Total                       int
		Outlooks                    map[string]int
		FirstAtRisk                 time.Time
		Domains                     []struct{ Name, State, Text, Outlook string }
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil || strings.Contains(out, "null") {
		t.Fatalf("%v\n%s", err, out)
	}
	if d.State != "failed" || d.From != "status page" || d.Total != 3 || d.Outlooks["at-risk"] != 1 || len(d.Domains) != 1 || d.Domains[0].Outlook != "at-risk" || !d.FirstAtRisk.Equal(*s.Domains[0].Certificates[0].NotAfter) {
		t.Errorf("%+v", d)
	}

	s.Server, s.Domains = []check.Finding{{Check: "delegation-missing", Status: check.Failed}}, s.Domains[1:]
	api.set(pagePath, s)
	if code, _, errs = runStatus(t, kubeconfig); code != exitError || !strings.Contains(errs, "the DNS server of acme.example.com is not delegated") {
		t.Errorf("not delegated: exit code %d: %s", code, errs)
	}
}

// With --watch, what changes is said in a line each.
func TestStatusWatch(t *testing.T) {
	api, kubeconfig := statusAPI(t, map[string]string{"signpost.dev/zone": "acme.example.com", "signpost.dev/status-service": "dns/signpost:http"})
	s := pageOf(t)
	api.set(pagePath, s)
	var out buffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"status", "--kubeconfig", kubeconfig, "--watch"}, &out, &out) }()
	says := func(want string) {
		t.Helper()
		poll.Until(t, 30*time.Second, "it says so", func() error {
			if text := out.String(); !strings.Contains(text, want) {
				return fmt.Errorf("no %q in\n%s", want, text)
			}
			return nil
		})
	}
	says("1 of 3 domains needs a change")
	mended := pageOf(t)
	mended.Domains[0].Checks = mended.Domains[1].Checks
	mended.Domains[2].Name = "new.example.com"
	api.set(pagePath, mended)
	says("gone.example.com: Add this record, at-risk → Ready, renewing")
	says("new.example.com: new: Ready, renewing")
	says("fine.example.com: no Certificate any more")
	says("3 of 3 domains are ready")
	mended.Store.OK = false
	api.set(pagePath, mended)
	says("Record store: Works → Does not work")
	cancel()
	if code := <-done; code != exitFine {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
}
