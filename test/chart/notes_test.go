package chart

import (
	"strings"
	"testing"
)

func TestNotes(t *testing.T) {
	for _, c := range []struct {
		set       string
		says, not []string
	}{
		{"issuer.email=me@example.com", []string{
			"acme.example.com.  NS    ns-acme.example.com.", "ns-acme.example.com.  A     <the address", "get service --namespace dns signpost-dns ",
			"signpost check --zone acme.example.com --nameserver ns-acme.example.com\n", "helm test signpost --namespace dns",
			"--scope cert-manager", "ClusterIssuer signpost", "v1.21", "bundled Valkey",
		}, []string{"WARNING", "No ClusterIssuer"}},
		{"nameservers[0].name=ns1.acme.example.com,nameservers[0].addresses={192.0.2.1,2001:db8::1}", []string{
			"ns1.acme.example.com.  A     192.0.2.1", "ns1.acme.example.com.  AAAA  2001:db8::1", "--nameserver ns1.acme.example.com=192.0.2.1,2001:db8::1",
			"No ClusterIssuer was made, because issuer.email is not set", "groupName: acme.example.com",
		}, []string{"<the address of"}},
		{"replicaCount=1,redis.mode=memory", []string{"WARNING: one replica", "WARNING: records are in memory"}, []string{"bundled Valkey"}},
		{"dnsService.type=ClusterIP", []string{"nobody outside the cluster reaches", "dnsService.type=ClusterIP"}, []string{"get service"}},
		{"dnsService.enabled=false", []string{"nobody outside the cluster reaches", "dnsService.enabled=false"}, nil},
		{"dnsService.type=NodePort", []string{"has no port 53"}, nil},
		{"dnsService.type=ClusterIP,dnsService.externalIPs={192.0.2.1,192.0.2.2}", []string{"The addresses are 192.0.2.1, 192.0.2.2 (dnsService.externalIPs)"}, []string{"WARNING"}},
		{"dnsService.type=NodePort,dnsService.externalIPs={192.0.2.1}", []string{"The addresses are 192.0.2.1"}, []string{"WARNING"}},
		{"dnsService.port=5353", []string{"dnsService.port=5353"}, nil},
		{"dnsService.splitProtocols=true", []string{"signpost-dns-udp", "signpost-dns-tcp", "same address"}, nil},
		{"hostPort.enabled=true", []string{"addresses are those of the nodes"}, []string{"WARNING"}},
		{"rbac.create=false", []string{"rbac.create=false"}, nil},
		{"orderGate.enabled=false", []string{"WARNING: there is no order gate", "orderGate.enabled=false"}, nil},
		{"issuer.create=false", []string{"No ClusterIssuer was made. In"}, nil},
	} {
		notes := must(t, c.set).notes
		for _, s := range c.says {
			if !strings.Contains(notes, s) {
				t.Errorf("%s: the notes do not say %q:\n%s", c.set, s, notes)
			}
		}
		for _, s := range c.not {
			if strings.Contains(notes, s) {
				t.Errorf("%s: the notes say %q:\n%s", c.set, s, notes)
			}
		}
	}
	if testing.Verbose() {
		t.Log(must(t, "issuer.email=me@example.com").notes)
	}
}
