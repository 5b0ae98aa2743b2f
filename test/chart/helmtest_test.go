package chart

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestHelmTest(t *testing.T) {
	r := must(t, "nameservers[0].name=ns1.acme.example.com", "nameservers[0].addresses={192.0.2.1,2001:db8::1}", "resolvers={9.9.9.9:53}")
	pod := get[*corev1.Pod](t, r, "Pod/signpost-check")
	if pod.Annotations["helm.sh/hook"] != "test" || pod.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("annotations %v, restart %s", pod.Annotations, pod.Spec.RestartPolicy)
	}
	c := pod.Spec.Containers[0]
	if c.Command != nil {
		t.Errorf("command %q: the image has its entrypoint, and no shell", c.Command)
	}
	want := []string{"check", "--zone", "acme.example.com", "--nameserver", "ns1.acme.example.com=192.0.2.1,2001:db8::1", "--resolver", "9.9.9.9:53"}
	if !slices.Equal(c.Args, want) {
		t.Errorf("args %q, want %q", c.Args, want)
	}
}
