package cli

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const allSigning = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

// A user without the right to read ClusterIssuers is told so, and never that all is well.
func TestStatusWithoutRights(t *testing.T) {
	annotations := map[string]string{"signpost.dev/zone": "acme.example.com"}
	api, kubeconfig := statusAPI(t, annotations)
	there := newRecords(t, "127.53.8.53")
	api.set(clusterPath, forbidden)
	api.certificates(certificatesPath, issued("web", "gone", 20, "gone.example.com"))
	api.certificates("/apis/cert-manager.io/v1/namespaces/empty/certificates")
	for _, kind := range []string{"issuers", "certificaterequests"} {
		api.set("/apis/cert-manager.io/v1/namespaces/empty/"+kind, api.objects["/apis/cert-manager.io/v1/namespaces/web/"+kind])
	}
	api.set("/apis/acme.cert-manager.io/v1/namespaces/empty/challenges", api.objects[challengesPath])
	api.set("/api/v1/namespaces/empty", metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "empty"}})
	look := func(args ...string) (int, string, string) {
		t.Helper()
		return runStatus(t, kubeconfig, append([]string{"--from-here", "--resolver-only", "--resolver", there.at}, args...)...)
	}

	code, out, errs := look("-n", "web", "--group-name", "acme.example.com")
	if code != exitError {
		t.Errorf("exit code %d", code)
	}
	wantAll(t, "no ClusterIssuers", out, "? Domains in namespace web: Not known", "? Certificates: not known", "? ClusterIssuers: you may not read them: which Certificates use Signpost cannot be told", "!✓ Domains")
	wantAll(t, "no ClusterIssuers", errs, "note: reading ClusterIssuers: you may not: ", "ClusterIssuers could not be read: which Certificates use Signpost cannot be told")
	_, out, _ = look("-n", "web", "--group-name", "acme.example.com", "-o", "json")
	wantAll(t, "JSON", out, `"state": "unknown"`)
	code, _, errs = look("-n", "web", "gone.example.com", "--group-name", "acme.example.com")
	if code != exitError || !strings.Contains(errs, "whether a Certificate that uses Signpost is for gone.example.com in namespace web cannot be told: you may not read ClusterIssuers") {
		t.Errorf("exit code %d: %s", code, errs)
	}

	// Nothing in a namespace needs them.
	_, out, errs = look("-n", "empty", "--group-name", "acme.example.com")
	wantAll(t, "nothing there", out, "✓ No Certificates of Signpost in namespace empty\n", "!ClusterIssuers")
	wantAll(t, "nothing there", errs, "!ClusterIssuers")

	// Which installation is meant.
	code, _, errs = look("-n", "web")
	if code != exitError {
		t.Errorf("exit code %d", code)
	}
	wantAll(t, "no group", errs, "error: which installation of Signpost is meant cannot be told: reading ClusterIssuers: you may not: ", "--group-name", "!create one")
	api.set(issuersPath, forbidden)
	_, _, errs = look("-n", "web")
	wantAll(t, "no Issuers", errs, "reading ClusterIssuers: you may not: ", "reading Issuers in namespace web: you may not: ")
	api.set(allIssuers, forbidden)
	_, _, errs = look()
	wantAll(t, "no Issuers in all namespaces", errs, "reading ClusterIssuers: you may not: ", "reading Issuers: you may not: ", "!namespace ")
}

// A filter that is about nothing that there is gives no green answer.
func TestStatusOfWhatIsNotThere(t *testing.T) {
	api, kubeconfig := statusAPI(t, map[string]string{"signpost.dev/zone": "acme.example.com", "signpost.dev/status-service": "dns/signpost:http"})
	api.set(pagePath, pageOf(t))
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--group-name", "nope.example"}, "error: there is no installation with groupName nope.example; Issuers use acme.example.com\n"},
		{[]string{"-n", "nowhere", "--group-name", "acme.example.com"}, "error: namespace nowhere does not exist\n"},
	} {
		if code, out, errs := runStatus(t, kubeconfig, tc.args...); code != exitError || errs != tc.want || out != "" {
			t.Errorf("%q: exit code %d: %s%s", tc.args, code, out, errs)
		}
	}
	api.set("/apis/cert-manager.io/v1/namespaces/nowhere/certificates", forbidden)
	if code, _, errs := runStatus(t, kubeconfig, "-n", "nowhere", "--group-name", "acme.example.com", "--from-here"); code != exitError || !strings.HasSuffix(errs, "error: namespace nowhere does not exist\n") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	api.set("/api/v1/namespaces/hidden", forbidden)
	if code, out, errs := runStatus(t, kubeconfig, "-n", "hidden", "--group-name", "acme.example.com"); code != exitFine || !strings.HasPrefix(out, "✓ No Certificates of Signpost in namespace hidden\n") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}

// role is a Role or ClusterRole.
type role struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Rules    []rbacv1.PolicyRule
}

// rolesInDocs are those of docs/status-page.md, by kind/namespace/name.
func rolesInDocs(t *testing.T) map[string]role {
	t.Helper()
	text, err := os.ReadFile("../../docs/status-page.md")
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]role{}
	for i, block := range strings.Split(string(text), "```yaml\n") {
		block, _, _ = strings.Cut(block, "\n```")
		for _, object := range strings.Split(block, "\n---\n") {
			if r := (role{}); i > 0 && yaml.Unmarshal([]byte(object), &r) == nil && len(r.Rules) > 0 && strings.HasSuffix(r.Kind, "Role") {
				roles[r.Kind+"/"+r.Metadata.Namespace+"/"+r.Metadata.Name] = r
			}
		}
	}
	return roles
}

// asked is what a request needs the right for.
type asked struct{ group, resource, namespace, name, verb string }

func askedOf(r *http.Request) (a asked) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if parts[0] == "apis" {
		a.group, parts = parts[1], parts[1:]
	}
	parts = parts[2:]
	if parts[0] == "namespaces" && len(parts) > 2 {
		a.namespace, parts = parts[1], parts[2:]
	}
	a.resource, a.verb = parts[0], "list"
	if len(parts) > 1 {
		a.name, a.verb = parts[1], "get"
	}
	if len(parts) > 2 {
		a.resource += "/" + parts[2]
	}
	return a
}

func (r role) allows(a asked) bool {
	return (r.Kind == "ClusterRole" || r.Metadata.Namespace == a.namespace) && slices.ContainsFunc(r.Rules, func(rule rbacv1.PolicyRule) bool {
		return slices.Contains(rule.APIGroups, a.group) && slices.Contains(rule.Resources, a.resource) && slices.Contains(rule.Verbs, a.verb) &&
			(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, a.name))
	})
}

// The rights that docs/status-page.md lists are enough, and each is needed.
func TestStatusNeedsTheRightsInTheDocs(t *testing.T) {
	roles := rolesInDocs(t)
	there := newRecords(t, "127.53.9.53")
	here := []string{"--from-here", "--resolver-only", "--resolver", there.at}
	for _, tc := range []struct {
		name  string
		roles []string
		runs  [][]string
	}{
		{"the page", []string{"ClusterRole//signpost-status", "Role/signpost/signpost-status"}, [][]string{nil}},
		{"from here", []string{"ClusterRole//signpost-status", "ClusterRole//signpost-status-from-here"}, [][]string{here}},
		{"one namespace", []string{"ClusterRole//signpost-status-namespaced", "Role/web/signpost-status"},
			[][]string{append([]string{"-n", "web"}, here...), append([]string{"-n", "web", "--group-name", "acme.example.com"}, here...)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			api, kubeconfig := statusAPI(t, map[string]string{"signpost.dev/zone": "acme.example.com", "signpost.dev/status-service": "signpost/signpost:http"})
			api.set("/api/v1/namespaces/signpost/services/signpost:http/proxy/status.json", pageOf(t))
			api.set(allSigning, typed("certificates.k8s.io/v1", "CertificateSigningRequestList", certificatesv1.CertificateSigningRequestList{}, func(l *certificatesv1.CertificateSigningRequestList, m metav1.TypeMeta) { l.TypeMeta = m }))
			api.set("/api/v1/namespaces/web", metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "web"}})
			for _, where := range []string{allCertificates, certificatesPath} {
				api.certificates(where, []cmv1.Certificate{issued("web", "gone", 20, "gone.example.com")}...)
			}
			used := map[asked]bool{}
			var refused []asked
			api.may = func(r *http.Request) bool {
				a := askedOf(r)
				allowed := slices.ContainsFunc(tc.roles, func(name string) bool { return roles[name].allows(a) })
				if !allowed && a.resource != "certificatesigningrequests" {
					refused = append(refused, a)
				}
				used[a] = allowed
				return allowed
			}
			for _, args := range tc.runs {
				code, out, errs := runStatus(t, kubeconfig, args...)
				if !strings.Contains(out, "gone.example.com") || strings.Contains(errs, "may not") || strings.Contains(errs, "could not be read") {
					t.Errorf("%q: exit code %d:\n%s%s", args, code, out, errs)
				}
			}
			if tc.name == "one namespace" { // is asked for only where there is nothing
				api.certificates(certificatesPath)
				runStatus(t, kubeconfig, tc.runs[0]...)
			}
			if len(refused) > 0 {
				t.Errorf("not in the docs: %+v", refused)
			}
			for _, name := range tc.roles {
				if len(roles[name].Rules) == 0 {
					t.Errorf("docs/status-page.md has no %s", name)
				}
				for _, rule := range roles[name].Rules {
					for _, resource := range rule.Resources {
						one := role{Kind: roles[name].Kind, Rules: []rbacv1.PolicyRule{rule}, Metadata: roles[name].Metadata}
						one.Rules[0].Resources = []string{resource}
						needed := false
						for a, allowed := range used {
							needed = needed || allowed && one.allows(a)
						}
						if !needed {
							t.Errorf("%s: nobody needs %s", name, resource)
						}
					}
				}
			}
		})
	}
}
