package chart

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

var hidden = []string{
	"mode=secondaries", "transfers.keySecretName=keys", "transfers.tlsSecretName=certificate",
	"secondaries[0].name=ns1.example.net", "secondaries[0].addresses={192.0.2.1,2001:db8::1}", "secondaries[0].keys={transfer}",
	"secondaries[1].name=ns2.example.org", "secondaries[1].addresses={198.51.100.2}", "secondaries[1].notify={198.51.100.3:5353}", "secondaries[1].keys={new,old}",
}

// mode=secondaries: nothing is on the Internet, and the program is told of the
// secondaries and their keys.
func TestModeSecondaries(t *testing.T) {
	r := must(t, hidden...)
	vars := env(t, r)
	for name, want := range map[string]string{
		"SIGNPOST_NAMESERVER":        "",
		"SIGNPOST_SECONDARY":         "ns1.example.net=192.0.2.1,2001:db8::1,key=transfer ns2.example.org=198.51.100.2,notify=198.51.100.3:5353,key=new,key=old",
		"SIGNPOST_TRANSFER_KEY_FILE": "/transfer-keys/transfer.key",
		"SIGNPOST_TRANSFER_TLS_CERT": "/transfer-tls/tls.crt",
		"SIGNPOST_TRANSFER_TLS_KEY":  "/transfer-tls/tls.key",
	} {
		if got := vars[name].Value; got != want {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
	service := get[*corev1.Service](t, r, "Service/signpost-dns")
	if service.Spec.Type != corev1.ServiceTypeClusterIP {
		t.Errorf("the DNS Service is a %s", service.Spec.Type)
	}
	if !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == 853 && p.Protocol == corev1.ProtocolTCP }) {
		t.Error("the DNS Service has no port for TLS")
	}
	pod := get[*appsv1.Deployment](t, r, "Deployment/signpost").Spec.Template.Spec
	for _, mount := range []string{"/transfer-keys", "/transfer-tls"} {
		i := slices.IndexFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == mount })
		if i < 0 || !pod.Containers[0].VolumeMounts[i].ReadOnly {
			t.Fatalf("%s is not mounted", mount)
		}
		name := pod.Containers[0].VolumeMounts[i].Name
		if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == name && v.Secret != nil }) {
			t.Errorf("%s is of no Secret", mount)
		}
	}
	for _, want := range []string{"acme.example.com.  NS    ns1.example.net.", "--secondary ns1.example.net=192.0.2.1,2001:db8::1,key=transfer", "inside the cluster only"} {
		if !strings.Contains(r.notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, r.notes)
		}
	}
	for _, not := range []string{"ns-acme.example.com", "--nameserver", "nobody outside the cluster reaches"} {
		if strings.Contains(r.notes, not) {
			t.Errorf("the notes say %q:\n%s", not, r.notes)
		}
	}
}

// Only the secondaries and the replicas reach the DNS ports, where dnsFrom says so.
func TestNetworkPolicyOfSecondaries(t *testing.T) {
	r := must(t, append(slices.Clone(hidden), "networkPolicy.dnsFrom[0].ipBlock.cidr=192.0.2.0/24")...)
	policy := get[*networkingv1.NetworkPolicy](t, r, "NetworkPolicy/signpost")
	found := 0
	for _, rule := range policy.Spec.Ingress {
		for _, p := range rule.Ports {
			switch p.Port.StrVal {
			case "dns-udp", "dns-tcp", "dns-tls":
				found++
				if len(rule.From) != 2 || rule.From[0].PodSelector == nil || rule.From[1].IPBlock == nil || rule.From[1].IPBlock.CIDR != "192.0.2.0/24" {
					t.Errorf("%s is reached from %+v", p.Port.StrVal, rule.From)
				}
			case "https":
				if len(rule.From) > 0 {
					t.Error("the API server, whose address is not known, is kept away")
				}
			}
		}
	}
	if found != 3 {
		t.Errorf("%d ports", found)
	}
}

// Beside its own nameserver Signpost may have secondaries too; and mistakes are said.
func TestSecondariesBeside(t *testing.T) {
	r := must(t, "secondaries[0].name=ns1.example.net", "secondaries[0].addresses={192.0.2.1}")
	if got := env(t, r)["SIGNPOST_NAMESERVER"].Value; got != "ns-acme.example.com" {
		t.Errorf("nameserver %q", got)
	}
	if get[*corev1.Service](t, r, "Service/signpost-dns").Spec.Type != corev1.ServiceTypeLoadBalancer {
		t.Error("Signpost itself cannot be asked any more")
	}
	for want, sets := range map[string][]string{
		"mode=secondaries: needs secondaries": {"mode=secondaries"},
		"hostPort.enabled: not with mode":     {"mode=secondaries", "hostPort.enabled=true", "secondaries[0].name=ns1.example.net", "secondaries[0].addresses={192.0.2.1}"},
		"ns1.example.net has keys, but":       {"secondaries[0].name=ns1.example.net", "secondaries[0].addresses={192.0.2.1}", "secondaries[0].keys={a}"},
		"transfers: nobody transfers":         {"transfers.keySecretName=keys"},
	} {
		if _, err := render(t, append([]string{minimal}, sets...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", sets, err, want)
		}
	}
}
