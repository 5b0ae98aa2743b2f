package chart

import (
	"slices"
	"strings"
	"testing"

	admregv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	psaapi "k8s.io/pod-security-admission/api"
)

// Where the control plane reaches nodes only, or few ports: everything that calls
// the webhook, and everything that is called, goes by the same two values.
func TestWhereTheAPIServerCalls(t *testing.T) {
	for _, c := range []struct {
		sets                 []string
		port, servicePort    int32
		http                 int32
		hostNetwork          bool
		dnsPolicy            corev1.DNSPolicy
		maxSurge             int
		restrictedToSignpost bool // Valkey
	}{
		{nil, 8443, 443, 8080, false, "", 1, true},
		{[]string{"webhook.port=10250", "webhook.servicePort=8443", "http.port=9090"}, 10250, 8443, 9090, false, "", 1, true},
		{[]string{"hostNetwork=true", "webhook.port=10260", "http.port=18080"}, 10260, 443, 18080, true, corev1.DNSClusterFirstWithHostNet, 0, false},
		{[]string{"hostNetwork=true", "dnsPolicy=Default"}, 8443, 443, 8080, true, corev1.DNSDefault, 0, false},
		{[]string{"dnsPolicy=Default"}, 8443, 443, 8080, false, corev1.DNSDefault, 1, true},
	} {
		r := must(t, append(c.sets, "issuer.email=me@example.com")...)
		deployment := get[*appsv1.Deployment](t, r, "Deployment/signpost")
		pod := deployment.Spec.Template.Spec
		ports := map[string]int32{}
		for _, p := range pod.Containers[0].Ports {
			ports[p.Name] = p.ContainerPort
			if p.HostPort != 0 {
				t.Errorf("%q: %s has a host port", c.sets, p.Name)
			}
		}
		vars := env(t, r)
		if ports["https"] != c.port || vars["SIGNPOST_SECURE_PORT"].Value != strings.TrimSuffix(fmtPort(c.port, ""), "/") {
			t.Errorf("%q: the container has the port %d and listens on %s", c.sets, ports["https"], vars["SIGNPOST_SECURE_PORT"].Value)
		}
		if ports["http"] != c.http || vars["SIGNPOST_HTTP_LISTEN"].Value != ":"+strings.TrimSuffix(fmtPort(c.http, ""), "/") {
			t.Errorf("%q: the container has the port %d and listens on %s", c.sets, ports["http"], vars["SIGNPOST_HTTP_LISTEN"].Value)
		}
		service := get[*corev1.Service](t, r, "Service/signpost").Spec.Ports[0]
		api := get[*apiregv1.APIService](t, r, "APIService/v1alpha1.acme.example.com").Spec.Service
		if service.Port != c.servicePort || service.TargetPort.StrVal != "https" || *api.Port != c.servicePort {
			t.Errorf("%q: Service %+v, APIService %d", c.sets, service, *api.Port)
		}
		for _, w := range get[*admregv1.ValidatingWebhookConfiguration](t, r, gateKey).Webhooks {
			if *w.ClientConfig.Service.Port != c.servicePort {
				t.Errorf("%q: the gate is called on port %d", c.sets, *w.ClientConfig.Service.Port)
			}
		}
		if pod.HostNetwork != c.hostNetwork || pod.DNSPolicy != c.dnsPolicy || deployment.Spec.Strategy.RollingUpdate.MaxSurge.IntValue() != c.maxSurge {
			t.Errorf("%q: hostNetwork %v, dnsPolicy %q, strategy %+v", c.sets, pod.HostNetwork, pod.DNSPolicy, deployment.Spec.Strategy.RollingUpdate)
		}
		// A pod in its node's network comes from an address that no pod selector matches.
		if r.has("NetworkPolicy/signpost-valkey") != c.restrictedToSignpost {
			t.Errorf("%q: Valkey is restricted: %v", c.sets, !c.restrictedToSignpost)
		}
	}
	pod := must(t, "hostNetwork=true").pods()["Deployment/signpost"]
	if v := violations(t, psaapi.LevelBaseline, pod); !strings.Contains(v, "host namespaces") {
		t.Errorf("with hostNetwork: %q; the comment in values.yaml is wrong", v)
	}
}

// OpenShift chooses the user, the group and the file system's group of a pod.
func TestUsersMayBeChosenByTheCluster(t *testing.T) {
	for _, sets := range [][]string{
		{"podSecurityContext.runAsUser=null", "podSecurityContext.runAsGroup=null", "podSecurityContext.fsGroup=null"},
		{"podSecurityContext=null"},
		{"podSecurityContext=null", "securityContext=null"},
	} {
		for key, pod := range must(t, sets...).pods() {
			if s := pod.Spec.SecurityContext; s != nil && (s.RunAsUser != nil || s.RunAsGroup != nil || s.FSGroup != nil) {
				t.Errorf("%q: %s has %+v", sets, key, s)
			}
			if s := pod.Spec.SecurityContext; len(sets) == 3 && (s == nil || s.RunAsNonRoot == nil || s.SeccompProfile == nil) {
				t.Errorf("%q: %s has lost more than that: %+v", sets, key, s)
			}
		}
	}
}

func TestDNSServiceOnNodes(t *testing.T) {
	for _, sets := range [][]string{{"dnsService.type=NodePort"}, {"dnsService.splitProtocols=true"}} {
		r := must(t, append(sets, "dnsService.nodePort=30053", "dnsService.externalIPs={192.0.2.1,2001:db8::1}")...)
		n := 0
		for _, key := range []string{"Service/signpost-dns", "Service/signpost-dns-udp", "Service/signpost-dns-tcp"} {
			if !r.has(key) {
				continue
			}
			s := get[*corev1.Service](t, r, key)
			if !slices.Equal(s.Spec.ExternalIPs, []string{"192.0.2.1", "2001:db8::1"}) {
				t.Errorf("%q: externalIPs %q", sets, s.Spec.ExternalIPs)
			}
			for _, p := range s.Spec.Ports {
				n++
				if p.NodePort != 30053 {
					t.Errorf("%q: %s has the node port %d", sets, p.Name, p.NodePort)
				}
			}
		}
		if n != 2 {
			t.Errorf("%q: %d ports", sets, n)
		}
	}
	s := get[*corev1.Service](t, must(t, "dnsService.type=ClusterIP", "dnsService.externalIPs={192.0.2.1}"), "Service/signpost-dns")
	if len(s.Spec.ExternalIPs) != 1 || s.Spec.Ports[0].NodePort != 0 {
		t.Errorf("ClusterIP: %+v", s.Spec)
	}
}

// One value for the registry of every image.
func TestRegistry(t *testing.T) {
	digest := "image.digest=sha256:" + strings.Repeat("a", 64)
	for set, want := range map[string]string{
		"": "", "image.registry=registry.example.com:5000/mirror": "registry.example.com:5000/mirror/",
		"global.imageRegistry=registry.example.com":                                  "registry.example.com/",
		"global.imageRegistry=other.example.com,image.registry=registry.example.com": "registry.example.com/",
		digest + ",redis.bundled." + digest + ",image.registry=registry.example.com": "registry.example.com/",
	} {
		pods := must(t, strings.Split(set, ",")...).pods()
		if len(pods) != 4 {
			t.Fatalf("%d pods", len(pods))
		}
		for key, pod := range pods {
			for _, c := range pod.Spec.Containers {
				name := "signpost-acme/signpost"
				if key == "Deployment/signpost-valkey" {
					name = "valkey/valkey"
				}
				if !strings.HasPrefix(c.Image, want+name+":") && !strings.HasPrefix(c.Image, want+name+"@sha256:") {
					t.Errorf("%s: %s has the image %s", set, key, c.Image)
				}
			}
		}
	}
}

// The API server takes what these values make.
func TestTheAPIServerTakesTheNetwork(t *testing.T) {
	a := startAPIServer(t)
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	for _, sets := range [][]string{
		{"dnsService.type=NodePort", "dnsService.nodePort=30053"},
		{"dnsService.splitProtocols=true", "dnsService.nodePort=30053", "dnsService.externalIPs={192.0.2.1}"},
		{"dnsService.type=ClusterIP", "dnsService.externalIPs={192.0.2.1}"},
		{"hostNetwork=true", "webhook.port=10260", "webhook.servicePort=8443", "http.port=18080"},
		{"podSecurityContext.runAsUser=null", "podSecurityContext.runAsGroup=null", "podSecurityContext.fsGroup=null", "dnsPolicy=Default"},
		{"podSecurityContext=null", "securityContext=null", "image.registry=registry.example.com:5000/mirror"},
	} {
		for key, object := range must(t, sets...).objects {
			var err error
			switch o := object.(type) {
			case *corev1.Service:
				o.Namespace = "team-a"
				_, err = a.kube.CoreV1().Services(o.Namespace).Create(t.Context(), o, dry)
			case *appsv1.Deployment:
				o.Namespace = "team-a"
				_, err = a.kube.AppsV1().Deployments(o.Namespace).Create(t.Context(), o, dry)
			}
			if err != nil {
				t.Errorf("%q: %s: %v", sets, key, err)
			}
		}
	}
}
