package chart

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiregv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// What a first installation gets: nothing more, nothing less.
func TestObjectsOfAFirstInstallation(t *testing.T) {
	want := []string{
		"APIService/v1alpha1.acme.example.com",
		"Certificate/signpost-ca", "Certificate/signpost-tls",
		"ClusterIssuer/signpost",
		"ClusterRole/signpost:end-challenges", "ClusterRole/signpost:solver", "ClusterRole/signpost:watch",
		"ClusterRoleBinding/signpost:auth-delegator", "ClusterRoleBinding/signpost:end-challenges", "ClusterRoleBinding/signpost:solver", "ClusterRoleBinding/signpost:watch",
		"Deployment/signpost", "Deployment/signpost-valkey",
		"Issuer/signpost-ca", "Issuer/signpost-selfsigned",
		"Job/signpost-end-challenges",
		"NetworkPolicy/signpost", "NetworkPolicy/signpost-valkey",
		"Pod/signpost-check", "PodDisruptionBudget/signpost",
		"Role/signpost:dns-service", "RoleBinding/signpost:auth-reader", "RoleBinding/signpost:dns-service",
		"Secret/signpost-valkey",
		"Service/signpost", "Service/signpost-dns", "Service/signpost-valkey",
		"ServiceAccount/signpost", "ServiceAccount/signpost-end-challenges",
		"ValidatingWebhookConfiguration/signpost-order-gate",
	}
	if got := must(t, "issuer.email=me@example.com").keys(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// env returns what Signpost is told.
func env(t *testing.T, r *rendered) map[string]corev1.EnvVar {
	t.Helper()
	vars := map[string]corev1.EnvVar{}
	for _, v := range get[*appsv1.Deployment](t, r, "Deployment/signpost").Spec.Template.Spec.Containers[0].Env {
		if _, twice := vars[v.Name]; twice {
			t.Errorf("%s is set twice", v.Name)
		}
		vars[v.Name] = v
	}
	return vars
}

func TestWhatSignpostIsTold(t *testing.T) {
	for _, c := range []struct {
		sets []string
		want map[string]string // a name with an empty value must not be set
	}{
		{nil, map[string]string{
			"SIGNPOST_ZONE": "acme.example.com", "SIGNPOST_GROUP_NAME": "acme.example.com", "SIGNPOST_NAMESERVER": "ns-acme.example.com",
			"SIGNPOST_LISTEN": ":1053", "SIGNPOST_CLUSTER_NAMESPACE": "cert-manager", "SIGNPOST_SHUTDOWN_DELAY": "10s",
			"SIGNPOST_WATCH_CHALLENGES": "true", "SIGNPOST_WATCH_CERTIFICATES": "true", "SIGNPOST_DNS_SERVICE": "dns/signpost-dns",
			"SIGNPOST_REDIS_URL": "redis://signpost-valkey.dns.svc:6379/0", "SIGNPOST_REDIS_PASSWORD_FILE": "/redis-password/password",
			"SIGNPOST_ORDER_GATE": "true", "SIGNPOST_GATE_ISSUER": "", "SIGNPOST_GATE_CLUSTER_NAMESPACE": "false", "SIGNPOST_GATE_CONFIGURATION": "signpost-order-gate",
			"SIGNPOST_CERT_MANAGER_SERVICE_ACCOUNT": "cert-manager/cert-manager", "SIGNPOST_WATCH_REQUESTS": "true",
			"SIGNPOST_RESOLVER": "", "SIGNPOST_REDIS_CA_FILE": "", "SIGNPOST_REDIS_USERNAME": "",
		}},
		{[]string{"issuer.email=me@example.com", "issuer.name=ours", "orderGate.issuers[0].kind=ClusterIssuer", "orderGate.issuers[0].name=ours",
			"orderGate.issuers[1].kind=Issuer", "orderGate.issuers[1].name=acme", "orderGate.issuers[1].namespace=team-a",
			"strictNamespaces=true", "orderGate.clusterNamespace=true", "orderGate.otherSolvers=true", "certManager.namespace=cm", "certManager.serviceAccountName=controller"},
			map[string]string{"SIGNPOST_GATE_ISSUER": "ClusterIssuer/ours Issuer/team-a/acme", "SIGNPOST_GATE_CLUSTER_NAMESPACE": "true",
				"SIGNPOST_CERT_MANAGER_SERVICE_ACCOUNT": "cm/controller", "SIGNPOST_WATCH_REQUESTS": "true"}},
		// The way of before: nothing of the gate is left.
		{[]string{"issuer.email=me@example.com", "orderGate.enabled=false"},
			map[string]string{"SIGNPOST_ORDER_GATE": "false", "SIGNPOST_GATE_ISSUER": "", "SIGNPOST_GATE_CLUSTER_NAMESPACE": "", "SIGNPOST_GATE_CONFIGURATION": "",
				"SIGNPOST_CERT_MANAGER_SERVICE_ACCOUNT": "", "SIGNPOST_WATCH_REQUESTS": "false"}},
		{[]string{"nameservers[0].name=ns1.example.com", "nameservers[1].name=ns2.acme.example.com", "nameservers[1].addresses[0]=192.0.2.1", "nameservers[1].addresses[1]=2001:db8::1"},
			map[string]string{"SIGNPOST_NAMESERVER": "ns1.example.com ns2.acme.example.com=192.0.2.1,2001:db8::1"}},
		{[]string{"resolvers[0]=9.9.9.9:53", "resolvers[1]=1.1.1.1:53"}, map[string]string{"SIGNPOST_RESOLVER": "9.9.9.9:53 1.1.1.1:53"}},
		{[]string{"dnsService.splitProtocols=true"}, map[string]string{"SIGNPOST_DNS_SERVICE": "dns/signpost-dns-udp"}},
		{[]string{"watchDNSService.enabled=false"}, map[string]string{"SIGNPOST_DNS_SERVICE": ""}},
		{[]string{"dnsService.enabled=false"}, map[string]string{"SIGNPOST_DNS_SERVICE": ""}},
		{[]string{"redis.mode=memory", "replicaCount=1"}, map[string]string{"SIGNPOST_REDIS_URL": "", "SIGNPOST_REDIS_PASSWORD_FILE": ""}},
		{[]string{"redis.mode=external", "redis.url=rediss://r:6379", "redis.username=u", "redis.existingSecret=s", "redis.tls.existingSecret=ca"},
			map[string]string{"SIGNPOST_REDIS_URL": "rediss://r:6379", "SIGNPOST_REDIS_USERNAME": "u", "SIGNPOST_REDIS_CA_FILE": "/redis-ca/ca.crt", "SIGNPOST_REDIS_PASSWORD_FILE": "/redis-password/password"}},
		{[]string{"redis.mode=external", "redis.url=redis://r:6379"}, map[string]string{"SIGNPOST_REDIS_PASSWORD_FILE": ""}},
		{[]string{"certManager.clusterResourceNamespace=issuers", "groupName=signpost.example.org", "watchChallenges.enabled=false", "log.level=debug"},
			map[string]string{"SIGNPOST_CLUSTER_NAMESPACE": "issuers", "SIGNPOST_GROUP_NAME": "signpost.example.org", "SIGNPOST_WATCH_CHALLENGES": "false", "SIGNPOST_LOG_LEVEL": "debug"}},
	} {
		vars := env(t, must(t, c.sets...))
		for name, want := range c.want {
			if got, set := vars[name]; set != (want != "") || got.Value != want {
				t.Errorf("%q: %s is %q, want %q", c.sets, name, got.Value, want)
			}
		}
	}
	vars := env(t, must(t, "redis.mode=external,redis.existingSecret=s,redis.urlKey=u,redis.sentinelPasswordKey=p,redis.passwordKey="))
	for name, key := range map[string]string{"SIGNPOST_REDIS_URL": "u", "SIGNPOST_REDIS_SENTINEL_PASSWORD": "p"} {
		if from := vars[name].ValueFrom; from == nil || from.SecretKeyRef.Name != "s" || from.SecretKeyRef.Key != key {
			t.Errorf("%s comes from %v, want key %s of the Secret s", name, from, key)
		}
	}
}

func TestWebhookRegistration(t *testing.T) {
	r := must(t, "groupName=signpost.example.org", "issuer.email=me@example.com", "nameOverride=sp",
		"nameservers[0].name=ns1.example.com", "nameservers[1].name=ns2.acme.example.com", "nameservers[1].addresses[0]=192.0.2.1")
	// The release is called signpost, and the chart sp: the full name has both.
	api := get[*apiregv1.APIService](t, r, "APIService/v1alpha1.signpost.example.org")
	cert := get[*cmv1.Certificate](t, r, "Certificate/signpost-sp-tls")
	service := get[*corev1.Service](t, r, "Service/"+api.Spec.Service.Name)
	for key, want := range map[string]string{
		"cert-manager.io/inject-ca-from": "dns/" + cert.Name, "signpost.dev/zone": "acme.example.com",
		"signpost.dev/nameservers": "ns1.example.com ns2.acme.example.com", "signpost.dev/cluster-namespace": "cert-manager",
	} {
		if got := api.Annotations[key]; got != want {
			t.Errorf("annotation %s is %q, want %q", key, got, want)
		}
	}
	if l := api.Labels["app.kubernetes.io/name"]; l != "signpost" {
		t.Errorf("label app.kubernetes.io/name is %q; the command line looks for signpost", l)
	}
	if host := service.Name + "." + service.Namespace + ".svc"; !slices.Contains(cert.Spec.DNSNames, host) {
		t.Errorf("the certificate is for %v, but the API server calls %s", cert.Spec.DNSNames, host)
	}
	if *api.Spec.Service.Port != service.Spec.Ports[0].Port || service.Spec.Ports[0].TargetPort.StrVal != "https" {
		t.Errorf("the APIService calls port %d, which the Service leads to %v", *api.Spec.Service.Port, service.Spec.Ports[0].TargetPort)
	}
	solvers := get[*cmv1.ClusterIssuer](t, r, "ClusterIssuer/signpost").Spec.ACME.Solvers
	if w := solvers[len(solvers)-1].DNS01.Webhook; w.GroupName != api.Spec.Group || w.SolverName != "signpost" {
		t.Errorf("the Issuer calls %+v, which is not what is registered", w)
	}
}

func TestClusterIssuer(t *testing.T) {
	const mail = "issuer.email=me@example.com"
	issuer := func(sets ...string) *cmv1.ClusterIssuer {
		return get[*cmv1.ClusterIssuer](t, must(t, append(sets, mail)...), "ClusterIssuer/signpost")
	}
	for _, set := range []string{"issuer.email=", mail + ",issuer.create=false"} {
		if must(t, set).has("ClusterIssuer/signpost") {
			t.Errorf("%s: there is a ClusterIssuer", set)
		}
	}
	acme := issuer().Spec.ACME
	if acme.Server != "https://acme-v02.api.letsencrypt.org/directory" || acme.Email != "me@example.com" || acme.PrivateKey.Name != "signpost-account" {
		t.Errorf("%+v", acme)
	}
	// Kalm's rule: of the solvers that fit, the first one counts.
	s := acme.Solvers
	if len(s) != 2 || s[0].HTTP01 == nil || s[0].HTTP01.Ingress == nil || s[0].DNS01 != nil || s[1].DNS01 == nil || s[1].HTTP01 != nil || s[0].Selector != nil || s[1].Selector != nil {
		t.Fatalf("solvers %+v, want http01 and then dns01, without selectors", s)
	}
	if w := s[1].WaitInsteadOfSelfCheck; w == nil || w.Duration != 0 || s[0].WaitInsteadOfSelfCheck != nil {
		t.Errorf("waitInsteadOfSelfCheck is %v and %v, want none and 0s", s[0].WaitInsteadOfSelfCheck, w)
	}
	if s := issuer("issuer.http01.enabled=false").Spec.ACME.Solvers; len(s) != 1 || s[0].DNS01 == nil {
		t.Errorf("without http01: %+v", s)
	}
	if s := issuer("issuer.dns01.waitInsteadOfSelfCheck=").Spec.ACME.Solvers; s[1].WaitInsteadOfSelfCheck != nil {
		t.Errorf("the field is there although it is empty")
	}
	if s := issuer("issuer.dns01.waitInsteadOfSelfCheck=5s").Spec.ACME.Solvers; s[1].WaitInsteadOfSelfCheck.Duration != 5*time.Second {
		t.Errorf("%v, want 5s", s[1].WaitInsteadOfSelfCheck)
	}
	if s := issuer("issuer.http01.ingressClassName=nginx").Spec.ACME.Solvers; *s[0].HTTP01.Ingress.IngressClassName != "nginx" {
		t.Errorf("ingress %+v", s[0].HTTP01.Ingress)
	}
	if s := issuer("issuer.http01.gatewayParentRefs[0].name=gw").Spec.ACME.Solvers; s[0].HTTP01.GatewayHTTPRoute == nil || s[0].HTTP01.GatewayHTTPRoute.ParentRefs[0].Name != "gw" || s[0].HTTP01.Ingress != nil {
		t.Errorf("gateway %+v", s[0].HTTP01)
	}
	if s := issuer("issuer.server=staging").Spec.ACME.Server; !strings.Contains(s, "staging") {
		t.Errorf("staging is %s", s)
	}
	acme = issuer("issuer.eab.keyID=k,issuer.eab.secretName=s", "issuer.server=https://ca.example.com/dir", "issuer.caBundle=Y2E=").Spec.ACME
	if e := acme.ExternalAccountBinding; e == nil || e.KeyID != "k" || e.Key.Name != "s" || e.Key.Key != "secret" || string(acme.CABundle) != "ca" || acme.Server != "https://ca.example.com/dir" {
		t.Errorf("%+v", acme)
	}
}

func TestDNSService(t *testing.T) {
	ports := func(s *corev1.Service) (list []string) {
		for _, p := range s.Spec.Ports {
			list = append(list, fmt.Sprintf("%s %d %s", p.Protocol, p.Port, p.TargetPort.StrVal))
		}
		return list
	}
	s := get[*corev1.Service](t, must(t), "Service/signpost-dns")
	if p := ports(s); s.Spec.Type != corev1.ServiceTypeLoadBalancer || !slices.Equal(p, []string{"UDP 53 dns-udp", "TCP 53 dns-tcp"}) {
		t.Errorf("%s %q", s.Spec.Type, p)
	}
	if s.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyCluster {
		t.Errorf("externalTrafficPolicy %q", s.Spec.ExternalTrafficPolicy)
	}
	r := must(t, "dnsService.splitProtocols=true", "dnsService.annotations.a=both", "dnsService.udpAnnotations.b=udp", "dnsService.tcpAnnotations.b=tcp")
	udp, tcp := get[*corev1.Service](t, r, "Service/signpost-dns-udp"), get[*corev1.Service](t, r, "Service/signpost-dns-tcp")
	if r.has("Service/signpost-dns") || !slices.Equal(ports(udp), []string{"UDP 53 dns-udp"}) || !slices.Equal(ports(tcp), []string{"TCP 53 dns-tcp"}) {
		t.Errorf("split: %q and %q", ports(udp), ports(tcp))
	}
	for s, b := range map[*corev1.Service]string{udp: "udp", tcp: "tcp"} {
		if s.Annotations["a"] != "both" || s.Annotations["b"] != b {
			t.Errorf("%s has the annotations %v", s.Name, s.Annotations)
		}
	}
	s = get[*corev1.Service](t, must(t, "dnsService.ipFamilyPolicy=RequireDualStack", "dnsService.ipFamilies={IPv6,IPv4}", "dnsService.externalTrafficPolicy=Local",
		"dnsService.loadBalancerClass=c", "dnsService.allocateLoadBalancerNodePorts=false", "dnsService.loadBalancerIP=192.0.2.1"), "Service/signpost-dns")
	if *s.Spec.IPFamilyPolicy != corev1.IPFamilyPolicyRequireDualStack || !slices.Equal(s.Spec.IPFamilies, []corev1.IPFamily{"IPv6", "IPv4"}) ||
		s.Spec.ExternalTrafficPolicy != "Local" || *s.Spec.LoadBalancerClass != "c" || *s.Spec.AllocateLoadBalancerNodePorts || s.Spec.LoadBalancerIP != "192.0.2.1" {
		t.Errorf("%+v", s.Spec)
	}
	// The API server refuses these fields on a ClusterIP Service.
	s = get[*corev1.Service](t, must(t, "dnsService.type=ClusterIP", "dnsService.loadBalancerClass=c"), "Service/signpost-dns")
	if s.Spec.ExternalTrafficPolicy != "" || s.Spec.LoadBalancerClass != nil {
		t.Errorf("ClusterIP: %+v", s.Spec)
	}
	if must(t, "dnsService.enabled=false").has("Service/signpost-dns") {
		t.Errorf("dnsService.enabled=false makes a Service")
	}
	r = must(t, "hostPort.enabled=true", "hostPort.hostIP=192.0.2.1")
	if s := get[*corev1.Service](t, r, "Service/signpost-dns"); s.Spec.Type != corev1.ServiceTypeClusterIP {
		t.Errorf("with host ports the Service is a %s", s.Spec.Type)
	}
	d := get[*appsv1.Deployment](t, r, "Deployment/signpost")
	for _, p := range d.Spec.Template.Spec.Containers[0].Ports {
		if want := map[bool]int32{true: 53}[strings.HasPrefix(p.Name, "dns-")]; p.HostPort != want {
			t.Errorf("port %s has the host port %d", p.Name, p.HostPort)
		}
	}
	if s := d.Spec.Strategy.RollingUpdate.MaxSurge.IntValue(); s != 0 {
		t.Errorf("maxSurge %d: with host ports a new pod finds no node", s)
	}
}

func TestAvailability(t *testing.T) {
	r := must(t, "shutdownDelay=20")
	d := get[*appsv1.Deployment](t, r, "Deployment/signpost")
	if *d.Spec.Replicas != 2 || d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Errorf("%d replicas, strategy %+v", *d.Spec.Replicas, d.Spec.Strategy)
	}
	if g := *d.Spec.Template.Spec.TerminationGracePeriodSeconds; g != 50 || env(t, r)["SIGNPOST_SHUTDOWN_DELAY"].Value != "20s" {
		t.Errorf("killed after %d s, with a shutdown delay of %s", g, env(t, r)["SIGNPOST_SHUTDOWN_DELAY"].Value)
	}
	if len(d.Spec.Template.Spec.TopologySpreadConstraints) != 2 {
		t.Errorf("spread %+v", d.Spec.Template.Spec.TopologySpreadConstraints)
	}
	if p := get[*policyv1.PodDisruptionBudget](t, r, "PodDisruptionBudget/signpost"); p.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("budget %+v", p.Spec)
	}
	if must(t, "replicaCount=1").has("PodDisruptionBudget/signpost") {
		t.Errorf("a budget for one replica would hold back every drain")
	}
	d = get[*appsv1.Deployment](t, must(t, "replicaCount=1", "redis.mode=memory"), "Deployment/signpost")
	if d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("in memory: strategy %s; two processes would have different records", d.Spec.Strategy.Type)
	}
}

// Every selector finds the pods that it is for, and no others.
func TestSelectors(t *testing.T) {
	r := must(t, "commonLabels.team=dns", "podLabels.extra=yes")
	for key, object := range r.objects {
		var selector map[string]string
		var component string
		switch o := object.(type) {
		case *corev1.Service:
			selector = o.Spec.Selector
			component = o.Labels["app.kubernetes.io/component"]
		case *networkingv1.NetworkPolicy:
			selector = o.Spec.PodSelector.MatchLabels
			component = o.Labels["app.kubernetes.io/component"]
		case *policyv1.PodDisruptionBudget:
			selector = o.Spec.Selector.MatchLabels
			component = "server"
		default:
			continue
		}
		for pod, template := range r.pods() {
			matches := true
			for k, v := range selector {
				matches = matches && template.Labels[k] == v
			}
			if want := template.Labels["app.kubernetes.io/component"] == component; matches != want {
				t.Errorf("%s selects %s: %v, want %v", key, pod, matches, want)
			}
		}
	}
	for key, pod := range r.pods() {
		if pod.Labels["team"] != "dns" {
			t.Errorf("%s has no common label", key)
		}
	}
}
