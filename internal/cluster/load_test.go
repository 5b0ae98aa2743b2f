package cluster

import (
	"fmt"
	"strings"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
)

// certificateFor is a Certificate of a ClusterIssuer.
func certificateFor(namespace, name, issuer string, dnsNames ...string) *cmv1.Certificate {
	c := &cmv1.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: cmv1.CertificateSpec{DNSNames: dnsNames}}
	c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Name = kindClusterIssuer, issuer
	return c
}

// forbid keeps a world's user from listing a kind; in a namespace, or in all.
func (w *world) forbid(resource, namespace string) {
	w.cm.PrependReactor("list", resource, func(a clienttesting.Action) (bool, runtime.Object, error) {
		if a.GetNamespace() != namespace {
			return false, nil, nil
		}
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", fmt.Errorf("no right"))
	})
}

// Load reads what a user may, once, and says what that was not enough for.
func TestLoad(t *testing.T) {
	w := notRead(t, nil, clusterIssuer("c", uriA, ours("")), certificateFor("web", "a", "c", "a.example.com"), certificateFor("shop", "b", "c", "b.example.com"),
		challenge("web", "x", "a.example.com", nil), challenge("shop", "y", "b.example.com", nil))
	state := func() (text string) {
		for _, c := range w.Certificates() {
			text += c.Namespace + "/" + c.Name + " "
		}
		return text + fmt.Sprint(len(w.Challenges()))
	}
	for _, tc := range []struct {
		namespace string
		forbid    [2]string // resource, namespace
		want      string
		missing   string
		err       string
	}{
		{namespace: "", want: "shop/b web/a 2"},
		{namespace: "web", want: "web/a 1"},
		{namespace: "none", want: "0"},
		{namespace: "", forbid: [2]string{"challenges", ""}, want: "shop/b web/a 0", missing: "reading Challenges: you may not"},
		{namespace: "", forbid: [2]string{"certificates", ""}, err: "reading Certificates: you may not"},
		{namespace: "web", want: "web/a 1", missing: "reading Challenges"},
	} {
		if tc.forbid[0] != "" {
			w.forbid(tc.forbid[0], tc.forbid[1])
		}
		if tc.namespace == "web" && tc.missing != "" {
			w.forbid("challenges", "web")
			tc.want, tc.missing = "web/a 0", "reading Challenges in namespace web: you may not"
		}
		missing, err := w.Load(t.Context(), tc.namespace)
		switch {
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)), tc.err == "" && err != nil:
			t.Errorf("%+v: error %v", tc, err)
		case tc.err != "":
		case state() != tc.want:
			t.Errorf("%+v: %s", tc, state())
		case tc.missing == "" && len(missing) > 0, tc.missing != "" && (len(missing) != 1 || !strings.Contains(missing[0].Err.Error(), tc.missing)):
			t.Errorf("%+v: missing %v", tc, missing)
		}
		if err == nil && !w.FollowsCertificates() {
			t.Errorf("%+v: the Certificates count as not read", tc)
		}
	}
}

// Issuers that may not be read are missing where a Certificate needs them, and only there.
func TestLoadWithoutIssuers(t *testing.T) {
	w := notRead(t, nil, certificateFor("web", "a", "c", "a.example.com"), challenge("web", "x", "a.example.com", nil))
	w.forbid("clusterissuers", "")
	for namespace, want := range map[string]string{
		"":     "ClusterIssuers",
		"web":  "ClusterIssuers",
		"shop": "",
	} {
		missing, err := w.Load(t.Context(), namespace)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for _, m := range missing {
			got += m.Kind
			if !m.Decides || !strings.HasPrefix(m.Err.Error(), "reading ClusterIssuers: you may not: ") {
				t.Errorf("namespace %q: %+v", namespace, m)
			}
		}
		if got != want {
			t.Errorf("namespace %q: missing %q, want %q", namespace, got, want)
		}
	}
	w.forbid("issuers", "web")
	if missing, err := w.Load(t.Context(), "web"); err != nil || len(missing) != 1 {
		t.Errorf("nobody needs Issuers: %v, %v", missing, err)
	}
}
