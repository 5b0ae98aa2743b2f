package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/invite"
	"github.com/signpost-acme/signpost/internal/zone"
)

const ownerKeysPath = "/api/v1/namespaces/signpost/secrets/signpost-owner-keys"

// ownersAnnotations are those of an installation with an owner's page.
func ownersAnnotations() map[string]string {
	return map[string]string{"signpost.dev/zone": "acme.example.com", "signpost.dev/cluster-namespace": "cert-manager",
		"signpost.dev/owner-url": "https://certs.example.net", "signpost.dev/owner-keys": "signpost/signpost-owner-keys"}
}

func ownersSecret() corev1.Secret {
	return corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, Data: map[string][]byte{"key-1": []byte(strings.Repeat("k", 40))}}
}

// With a cluster nothing else has to be given: it says where the page is, which scope
// the Issuer has, and what signs links.
func TestInviteFromTheCluster(t *testing.T) {
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for what, tc := range map[string]struct {
		annotation, scope string
	}{"shared": {"", "cert-manager"}, "strict": {"true", "web"}} {
		annotations := ownersAnnotations()
		annotations["signpost.dev/strict-namespaces"] = tc.annotation
		api, kubeconfig := newAPI(t, annotations, signpostSolver(nil))
		api.set(ownerKeysPath, ownersSecret())
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"invite", "example.com", "--kubeconfig", kubeconfig, "-o", "json"}, &out, &errs); code != exitFine {
			t.Fatalf("%s: exit code %d: %s", what, code, &errs)
		}
		var i struct{ Link, Scope string }
		if err := json.Unmarshal(out.Bytes(), &i); err != nil {
			t.Fatal(err)
		}
		path, ok := strings.CutPrefix(i.Link, "https://certs.example.net")
		l, err := invite.Keys{"key-1": []byte(strings.Repeat("k", 40))}.Open(z, path, time.Now())
		if !ok || err != nil || l.Scope != tc.scope || i.Scope != tc.scope || l.Domain != "example.com" {
			t.Errorf("%s: %s: %+v, %v", what, i.Link, l, err)
		}
		if d := time.Until(l.Expires); d < 29*24*time.Hour || d > 30*24*time.Hour {
			t.Errorf("%s: ends in %v", what, d)
		}
	}
}

func TestInviteWhatIsMissing(t *testing.T) {
	forbidden := metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: 403}
	short := ownersSecret()
	short.Data = map[string][]byte{"key-1": []byte("short and secret")}
	for want, tc := range map[string]struct {
		annotations map[string]string
		secret      any
	}{
		"set ownerPage.enabled in the chart, or give --keys, --url and --zone":  {map[string]string{"signpost.dev/zone": "acme.example.com"}, ownersSecret()},
		"reading Secret signpost-owner-keys in namespace signpost: you may not": {ownersAnnotations(), forbidden},
		"secrets/signpost-owner-keys not found":                                 {ownersAnnotations(), nil},
		"key key-1: has 16 octets, and needs 32":                                {ownersAnnotations(), short},
	} {
		api, kubeconfig := newAPI(t, tc.annotations, signpostSolver(nil))
		if tc.secret != nil {
			api.set(ownerKeysPath, tc.secret)
		}
		var out bytes.Buffer
		if code := run(t.Context(), []string{"invite", "example.com", "--kubeconfig", kubeconfig}, &out, &out); code != exitError || !strings.Contains(out.String(), want) || strings.Contains(out.String(), "short and secret") {
			t.Errorf("exit code %d, want %q in\n%s", code, want, &out)
		}
	}
}

// issue shows the link too, where it may read the keys.
func TestIssueShowsTheLink(t *testing.T) {
	r := newRecords(t, "127.61.1.53")
	api, kubeconfig := newAPI(t, ownersAnnotations(), signpostSolver(nil))
	s := api.issue(t, kubeconfig, r.at, "*.example.com")
	s.says(t, "CNAME  01917426-a1cd-547e-bc8e-ca4d7b697e62.acme.example.com.")
	api.set(ownerKeysPath, ownersSecret())
	with := api.issue(t, kubeconfig, r.at, "*.example.com")
	with.says(t, "Or send the owner this link, which shows where to add it and works for 30 days:\n\n    https://certs.example.net/v1/key-1/")
	with.says(t, "/cert-manager/example.com/")
	if strings.Contains(s.out.String(), "Or send") {
		t.Errorf("without keys:\n%s", s.out.String())
	}
}
