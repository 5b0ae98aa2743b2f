package e2e

import (
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What the API server says that the chart's ServiceAccount and cert-manager's may
// do, and above all what they may not.
func TestChartRights(t *testing.T) {
	const namespace, group = "chart-rights", "rights.example.org"
	if err := w.Namespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), renderChart(t, namespace, "zone="+group, "/rbac.yaml")); err != nil {
		t.Fatal(err)
	}
	const ours, certManager = "system:serviceaccount:" + namespace + ":dry-signpost", "system:serviceaccount:cert-manager:cert-manager"
	for _, c := range []struct {
		who, verb, resource, in string // resource as resource.group/name
		want                    bool
	}{
		{ours, "list", "challenges.acme.cert-manager.io", "", true},
		{ours, "watch", "challenges.acme.cert-manager.io", "", true},
		{ours, "patch", "challenges.acme.cert-manager.io", "default", true},
		{ours, "create", "events", "default", true},
		{ours, "list", "certificates.cert-manager.io", "", true},
		{ours, "list", "clusterissuers.cert-manager.io", "", true},
		{ours, "get", "challenges.acme.cert-manager.io", "default", true},
		{ours, "get", "orders.acme.cert-manager.io", "default", true},
		{ours, "delete", "orders.acme.cert-manager.io", "default", true},
		{ours, "list", "certificaterequests.cert-manager.io", "", true},
		{ours, "patch", "certificaterequests.cert-manager.io", "default", true},
		{ours, "list", "certificatesigningrequests.certificates.k8s.io", "", true},
		{ours, "patch", "certificatesigningrequests.certificates.k8s.io", "", true},
		{ours, "get", "validatingwebhookconfigurations.admissionregistration.k8s.io/dry-signpost-order-gate", "", true},
		{ours, "get", "certificates.cert-manager.io", "default", true},
		{ours, "get", "services/dry-signpost-dns", namespace, true},
		{ours, "get", "configmaps/extension-apiserver-authentication", "kube-system", true},
		{ours, "create", "subjectaccessreviews.authorization.k8s.io", "", true},
		{ours, "create", "tokenreviews.authentication.k8s.io", "", true},
		{certManager, "create", "signpost." + group, "default", true},

		{ours, "get", "secrets", namespace, false},
		{ours, "list", "secrets", "", false},
		{ours, "get", "secrets/signpost-account", "cert-manager", false},
		{ours, "create", "challenges.acme.cert-manager.io", "default", false},
		{ours, "update", "challenges.acme.cert-manager.io", "default", false},
		{ours, "delete", "challenges.acme.cert-manager.io", "default", false},
		{ours, "patch", "challenges.acme.cert-manager.io/status", "default", false},
		{ours, "patch", "certificates.cert-manager.io", "default", false},
		{ours, "create", "certificates.cert-manager.io", namespace, false},
		{ours, "list", "services", namespace, false},
		{ours, "get", "services/dry-signpost", namespace, false},
		{ours, "list", "events", "", false},
		{ours, "patch", "events", "default", false},
		{ours, "list", "orders.acme.cert-manager.io", "", false},
		{ours, "create", "orders.acme.cert-manager.io", "default", false},
		{ours, "patch", "orders.acme.cert-manager.io", "default", false},
		{ours, "patch", "certificaterequests.cert-manager.io/status", "default", false},
		{ours, "patch", "certificatesigningrequests.certificates.k8s.io/approval", "", false},
		{ours, "get", "validatingwebhookconfigurations.admissionregistration.k8s.io/other", "", false},
		{ours, "delete", "validatingwebhookconfigurations.admissionregistration.k8s.io/dry-signpost-order-gate", "", false},
		{ours, "get", "configmaps/other", "kube-system", false},
		{ours, "list", "pods", namespace, false},
		{ours, "create", "signpost." + group, "default", false},
		{certManager, "get", "signpost." + group, "default", false},
		{certManager, "create", "other." + group, "default", false},
	} {
		resource, name, _ := strings.Cut(c.resource, "/")
		resource, api, _ := strings.Cut(resource, ".")
		attributes := &authorizationv1.ResourceAttributes{Verb: c.verb, Group: api, Resource: resource, Name: name, Namespace: c.in}
		if name == "status" || name == "approval" {
			attributes.Name, attributes.Subresource = "", name
		}
		review, err := w.Kube.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: c.who, ResourceAttributes: attributes},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if review.Status.Allowed != c.want {
			t.Errorf("%s may %s %s in %q: %v (%s), want %v", c.who, c.verb, c.resource, c.in, review.Status.Allowed, review.Status.Reason, c.want)
		}
	}
}
