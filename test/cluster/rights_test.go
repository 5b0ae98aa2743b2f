package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// right is one that the chart grants, and what says that it is gone.
type right struct {
	name     string
	take     func(t *testing.T) (giveBack func())
	restart  bool // it is used only when a replica starts
	use      func(t *testing.T)
	says     []string                // where it is said: all of it, in one line of the log
	saidHere func(*testing.T) string // instead of in the log
}

// eachRightIsNeeded takes every right of the chart away in turn: what it was for
// fails, and the message names the right. At the end everything works again.
func eachRightIsNeeded(t *testing.T) {
	var domain string // the last one
	n := 0
	next := func() (name string) {
		n++
		name = fmt.Sprintf("right-%d", n)
		domain = name + ".example.com"
		return name
	}
	waits := func(t *testing.T) { // a request whose CNAME is missing
		name := next()
		create(t, name, "*."+domain)
		denied(t, "default", name, domain)
	}
	goes := func(t *testing.T) { // a request whose CNAME is there
		name := next()
		setCNAME(t, domain)
		create(t, name, "*."+domain)
	}
	stays := func(t *testing.T) { name := next(); pastGate(t, name, "*."+domain) } // a challenge whose CNAME is missing
	const (
		acme, certs, signing, admission = "acme.cert-manager.io", "cert-manager.io", "certificates.k8s.io", "admissionregistration.k8s.io"
		noNudge                         = "cert-manager cannot be told that the CNAME is there"
	)
	verb := func(group, resource, verb string) right {
		return right{
			name: verb + " " + resource,
			take: func(t *testing.T) func() { return withoutVerb(t, "signpost:watch", group, resource, verb) },
			says: []string{fmt.Sprintf("cannot %s resource \\\"%s\\\"", verb, resource)},
		}
	}
	var rights []right
	add := func(r right, use func(*testing.T), feature string) {
		r.use, r.says = use, append(r.says, feature)
		rights = append(rights, r)
	}
	for _, kind := range []struct{ group, resource string }{
		{acme, "challenges"}, {certs, "certificates"}, {certs, "certificaterequests"}, {signing, "certificatesigningrequests"}, {certs, "issuers"}, {certs, "clusterissuers"},
	} {
		for _, v := range []string{"list", "watch"} {
			r := verb(kind.group, kind.resource, v)
			r.restart = true
			add(r, nil, "cert-manager's "+kind.resource+" cannot be read")
		}
	}
	configuration := verb(admission, "validatingwebhookconfigurations", "get")
	configuration.restart = true
	configuration.saidHere = func(t *testing.T) string { // no replica may be ready yet
		out, _ := c.Kubectl(t.Context(), "", "get", "--raw", "/api/v1/namespaces/"+Namespace+"/services/signpost:http/proxy/status.json")
		return out
	}
	add(configuration, nil, "it cannot be read: reading the ValidatingWebhookConfiguration "+gateConfiguration)
	add(verb("", "events", "create"), waits, "an event cannot be made")
	add(verb(certs, "certificates", "get"), waits, "an event cannot be made")
	add(verb(acme, "orders", "get"), stays, "an event cannot be made")
	add(verb(acme, "orders", "delete"), stays, "the Order of a challenge that cannot succeed cannot be deleted")
	add(verb(certs, "certificaterequests", "patch"), func(t *testing.T) { waits(t); setCNAME(t, domain) }, noNudge)
	add(verb(signing, "certificatesigningrequests", "patch"), func(t *testing.T) {
		next()
		sign(t, "*."+domain)
		setCNAME(t, domain)
	}, noNudge)
	add(verb(acme, "challenges", "get"), loseRecord, "a record that the store has lost cannot be put back yet")
	refused := verb(acme, "challenges", "patch") // one that is refused for another reason than its CNAME
	take := refused.take
	refused.take = func(t *testing.T) func() {
		binding, verb := withoutBinding(t, "clusterrolebinding", "", "signpost:solver"), take(t)
		return func() { binding(); verb() }
	}
	add(refused, goes, noNudge)
	rights = append(rights,
		right{
			name:    "get services",
			take:    func(t *testing.T) func() { return withoutBinding(t, "rolebinding", Namespace, "signpost:dns-service") },
			restart: true,
			says:    []string{"the address of the DNS Service is not known", `cannot get resource \"services\"`},
		},
		right{
			name: "read how the API server identifies itself",
			take: func(t *testing.T) func() {
				return withoutBinding(t, "rolebinding", "kube-system", "signpost:auth-reader")
			},
			restart: true,
			says:    []string{"extension-apiserver-authentication", "cannot get resource"},
		},
		right{
			name: "ask the API server who may call",
			take: func(t *testing.T) func() {
				return withoutBinding(t, "clusterrolebinding", "", "signpost:auth-delegator")
			},
			use: goes, restart: true,
			says: []string{"subjectaccessreviews", "cannot create resource"},
		},
		right{
			name: "call the webhook",
			take: func(t *testing.T) func() { return withoutBinding(t, "clusterrolebinding", "", "signpost:solver") },
			use:  goes,
			says: []string{"cannot create resource \"signpost\""},
			saidHere: func(t *testing.T) string {
				return kubectl(t, "get", "challenges", "-n", "default", "-o", "jsonpath={.items[*].status.reason}")
			},
		},
	)
	for _, r := range rights {
		t.Run(r.name, func(t *testing.T) {
			giveBack := r.take(t)
			defer giveBack()
			since := time.Now().UTC().Format(time.RFC3339)
			if r.restart {
				kubectl(t, "delete", "pods", "-n", Namespace, "-l", replicas, "--force", "--grace-period=0")
			}
			if r.use != nil {
				r.use(t)
			}
			if r.saidHere == nil {
				r.saidHere = func(t *testing.T) string { return logs(t, since) }
			}
			eventually(t, fmt.Sprintf("a message with %q", r.says), func() bool {
				for line := range strings.Lines(r.saidHere(t)) {
					if !slices.ContainsFunc(r.says, func(s string) bool { return !strings.Contains(line, s) }) {
						return true
					}
				}
				return false
			})
		})
	}
	kubectl(t, "delete", "pods", "-n", Namespace, "-l", replicas, "--force", "--grace-period=0")
	kubectl(t, "rollout", "status", "deployment/signpost", "-n", Namespace, "--timeout=90s")
	setCNAME(t, "restored.example.com")
	create(t, "restored", "*.restored.example.com")
	waitReady(t, "restored")
}

// logs are what the replicas have said since, also in containers that have ended.
func logs(t *testing.T, since string) string {
	t.Helper()
	var all strings.Builder
	for _, pod := range strings.Fields(kubectl(t, "get", "pods", "-n", Namespace, "-l", replicas, "-o", "name")) {
		for _, which := range []string{"--previous=false", "--previous"} {
			out, _ := c.Kubectl(t.Context(), "", "logs", "-n", Namespace, pod, which, "--since-time="+since) // it may not have begun
			all.WriteString(out)
		}
	}
	return all.String()
}
