package e2e

import (
	"context"
	"strings"
	"testing"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

// With strict namespaces the CNAME names the one namespace that gets a
// certificate through a ClusterIssuer. What others try, also with a Challenge made
// by hand, ends at their own target.
func TestStrictNamespaces(t *testing.T) {
	restart := func(ctx context.Context) {
		for _, r := range w.Replicas {
			if err := r.Stop(ctx); err != nil {
				t.Error(err)
			}
			if err := r.Run(ctx); err != nil {
				t.Error(err)
			}
		}
	}
	for _, r := range w.Replicas {
		r.Args = append(r.Args, "--strict-namespaces")
	}
	t.Cleanup(func() {
		for _, r := range w.Replicas {
			r.Args = r.Args[:len(r.Args)-1]
		}
		restart(context.Background())
	})
	restart(t.Context())

	createIssuer(t, world.IssuerOptions{Name: "strict"})
	createIssuer(t, world.IssuerOptions{Name: "strict-follow", Follow: true})
	setCNAME(t, "example.com", "strict.example.com", "strict-owner")
	issue(t, "strict-owner", "strict", "ClusterIssuer", "strict", "strict.example.com", "*.strict.example.com")
	issue(t, "strict-owner", "follow", "ClusterIssuer", "strict-follow", "*.strict.example.com")

	theirs, err := world.Target("strict-thief", "strict.example.com")
	if err != nil {
		t.Fatal(err)
	}
	createCertificate(t, "strict-thief", "strict", "ClusterIssuer", "strict", "*.strict.example.com")
	reason(t, "strict-thief", "strict.example.com", func(c acmev1.Challenge) bool { return strings.Contains(c.Status.Reason, theirs) })

	// A Challenge made by hand, with the owner's domain and Issuer.
	list, err := w.Challenges(t.Context(), "strict-thief")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	forged := acmev1.Challenge{ObjectMeta: metav1.ObjectMeta{Name: "forged"}, Spec: list[0].Spec}
	forged.Spec.Key = "forged"
	if _, err := w.CM.AcmeV1().Challenges("strict-thief").Create(t.Context(), &forged, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.CM.CertmanagerV1().Certificates("strict-thief").Delete(t.Context(), "strict", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the forged Challenge is refused or waits", func() bool {
		c, err := w.CM.AcmeV1().Challenges("strict-thief").Get(t.Context(), "forged", metav1.GetOptions{})
		return err == nil && (c.Status.Reason == "" || strings.Contains(c.Status.Reason, theirs)) && !c.Status.Presented
	})
	for _, target := range []string{"strict-owner", "strict-thief", "cert-manager"} {
		id, err := world.Target(target, "strict.example.com")
		if err != nil {
			t.Fatal(err)
		}
		keys, err := w.Redis.Keys(t.Context(), "*"+strings.TrimSuffix(id, "."+world.Zone)+"*")
		if err != nil || len(keys) > 0 {
			t.Errorf("a value is at the target of %s: %q, %v", target, keys, err)
		}
	}
	if _, err := w.Leaf(t.Context(), "strict-thief", "strict"); err == nil {
		t.Error("strict-thief has got a certificate")
	}
	for _, name := range []string{"forged", list[0].Name} {
		_ = w.CM.AcmeV1().Challenges("strict-thief").Delete(t.Context(), name, metav1.DeleteOptions{})
	}
}
