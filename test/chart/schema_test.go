package chart

import (
	"strings"
	"testing"
)

// Each wrong value is refused, and the message names it.
func TestWrongValuesAreRefusedByName(t *testing.T) {
	for _, c := range []struct{ set, names string }{
		{"zone=", "zone"},
		{"zone=null", "zone"},
		{"zone=example", "zone"},
		{"zone=Acme.example.com", "zone"},
		{"zone=acme.example.com.", "zone"},
		{"zone=acme_1.example.com", "zone"},
		{"zone=-acme.example.com", "zone"},
		{"zone=https://acme.example.com", "zone"},
		{"zone=5", "zone"},
		{"groupName=Acme", "groupName"},
		{"replicaCont=3", "replicaCont"},
		{"replicaCount=0", "replicaCount"},
		{"replicaCount=two", "replicaCount"},
		{"redis.mode=memory", "replicaCount"},
		{"redis.mode=cluster", "mode"},
		{"redis.mode=external", "url"},
		{"redis.mode=external,redis.url=http://redis:6379", "url"},
		{"redis.mode=external,redis.url=redis://u:secret@redis:6379", "url"},
		{"redis.mode=external,redis.urlKey=url", "existingSecret"},
		{"redis.mode=external,redis.url=redis://redis,redis.sentinelPasswordKey=p", "existingSecret"},
		{"redis.url=redis://redis:6379/0", "redis.url"},
		{"redis.mode=external,redis.url=redis://redis:6379/0,redis.tls.existingSecret=ca", "redis.url"},
		{"redis.tls.existingSecret=ca", "redis.tls.existingSecret"},
		{"redis.passwort=x", "passwort"},
		{"redis.passwordKey=", "passwordKey"},
		{"issuer.email=nobody", "email"},
		{"issuer.email=a@b", "email"},
		{"issuer.email=a@example.com@example.com", "email"},
		{"issuer.server=prod", "server"},
		{"issuer.server=http://ca.example.com/dir", "server"},
		{"issuer.eab.keyID=k", "secretName"},
		{"issuer.dns01.waitInsteadOfSelfCheck=soon", "waitInsteadOfSelfCheck"},
		{"issuer.htpp01.enabled=false", "htpp01"},
		{"nameservers[0].name=ns", "name"},
		{"nameservers[0].addresses[0]=192.0.2.1", "name"},
		{"nameservers[0].name=ns.example.com,nameservers[0].addresses[0]=nowhere", "addresses"},
		{"nameservers[0].name=ns.acme.example.com", "ns.acme.example.com"},
		{"resolvers[0]=9.9.9.9", "resolvers"},
		{"dnsService.type=ExternalName", "type"},
		{"dnsService.port=0", "port"},
		{"dnsService.externalTrafficPolicy=local", "externalTrafficPolicy"},
		{"dnsService.ipFamilies[0]=ipv4", "ipFamilies"},
		{"dnsService.enabled=false,dnsService.splitProtocols=true", "splitProtocols"},
		{"image.digest=latest", "digest"},
		{"image.pullPolicy=always", "pullPolicy"},
		{"log.level=verbose", "level"},
		{"shutdownDelay=5s", "shutdownDelay"},
		{"watchChallenges=false", "watchChallenges"},
		{"watchRequests=false", "watchRequests"},
		{"webhook.port=0", "port"},
		{"webhook.port=8080", "webhook.port"},
		{"http.port=1053", "http.port"},
		{"hostNetwork=yes", "hostNetwork"},
		{"hostNetwork=true,hostPort.enabled=true", "hostPort.enabled"},
		{"dnsPolicy=Cluster", "dnsPolicy"},
		{"dnsService.nodePort=dns", "nodePort"},
		{"dnsService.type=ClusterIP,dnsService.nodePort=30053", "dnsService.nodePort"},
		{"dnsService.externalIPs[0]=node-1", "externalIPs"},
		{"image.registry=https://registry.example.com", "registry"},
		{"image.registry=registry.example.com/", "registry"},
		{"orderGate=false", "orderGate"},
		{"orderGate.timeoutSeconds=0", "timeoutSeconds"},
		{"orderGate.timeoutSeconds=31", "timeoutSeconds"},
		{"orderGate.issuers[0].name=x", "kind"},
		{"orderGate.issuers[0].kind=ClusterIssuer", "name"},
		{"orderGate.issuers[0].kind=issuer,orderGate.issuers[0].name=x", "kind"},
		{"orderGate.issuers[0].kind=Issuer,orderGate.issuers[0].name=x", "namespace"},
		{"orderGate.issuers[0].kind=ClusterIssuer,orderGate.issuers[0].name=x,orderGate.issuers[0].namespace=y", "namespace"},
		{"orderGate.issuers[0].kind=ClusterIssuer,orderGate.issuers[0].name=it's", "name"},
		{"orderGate.issuers[0].kind=ClusterIssuer,orderGate.issuers[0].name=x,orderGate.issuers[0].group=y", "group"},
		{"orderGate.clusterNamespace=true", "orderGate.clusterNamespace"},
		{"strictNamespaces=true,orderGate.enabled=false", "strictNamespaces: needs orderGate.enabled"},
		{"metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true", "podMonitor"},
		{"fullnameOverride=Signpost", "fullnameOverride"},
	} {
		_, err := render(t, minimal, c.set)
		switch {
		case err == nil:
			t.Errorf("%s: accepted", c.set)
		case !strings.Contains(err.Error(), c.names):
			t.Errorf("%s: the message does not name %q: %v", c.set, c.names, err)
		}
	}
	if _, err := render(t); err == nil || !strings.Contains(err.Error(), "zone: is needed") {
		t.Errorf("without values: %v", err)
	}
}

// Unusual but right values are accepted.
func TestRightValuesAreAccepted(t *testing.T) {
	for _, set := range []string{
		"zone=xn--bcher-kva.example",
		"issuer.email=first.last+tag@sub.example.com",
		"issuer.server=https://ca.example.com/acme/directory",
		"redis.mode=external,redis.url=redis://user@redis.example.com:6379/0",
		"redis.mode=external,redis.url=rediss://a:26379?master_name=main&addr=b:26379,redis.existingSecret=s,redis.sentinelPasswordKey=p,redis.tls.existingSecret=ca",
		"redis.mode=external,redis.existingSecret=s,redis.urlKey=url,redis.passwordKey=",
		"redis.mode=memory,replicaCount=1",
		"nameservers[0].name=ns.acme.example.com,nameservers[0].addresses[0]=192.0.2.1,nameservers[0].addresses[1]=2001:db8::1",
		"resolvers[0]=9.9.9.9:53,resolvers[1]=[2620:fe::fe]:53",
		"podDisruptionBudget.maxUnavailable=50%",
		"issuer.dns01.waitInsteadOfSelfCheck=1m30s",
		"strictNamespaces=true,orderGate.clusterNamespace=true,orderGate.issuers[0].kind=Issuer,orderGate.issuers[0].name=a.b,orderGate.issuers[0].namespace=team-a",
	} {
		must(t, set)
	}
}
