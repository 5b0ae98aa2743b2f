package check_test

import (
	"context"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
)

// rootServedBy is a registry that delegates the domain to nameservers with these names,
// which all are at the domain's servers.
func rootServedBy(nameservers ...string) string {
	root := strings.ReplaceAll(rootZone, "\ncustomer.example. NS", "\nelse.example. NS")
	for i, name := range nameservers {
		root += "customer.example. NS " + name + ".\n" + name + ". A " + []string{domainServer, domainServer2}[i%2] + "\n"
	}
	return root
}

// Hints name the words of the provider's own form, where somebody is to enter the record.
func TestHintInTheProvidersWords(t *testing.T) {
	const cloudflare, ovh = "ada.ns.cloudflare.com bob.ns.cloudflare.com", "dns10.ovh.net ns10.ovh.net"
	for _, tc := range []struct {
		name, nameservers, records string
		want, hint                 string // the check, and how its hint ends
	}{
		{"missing", cloudflare, "", "cname-missing", "at the DNS provider of customer.example. The domain's DNS is at Cloudflare: the form wants “_acme-challenge” in “Name” and “$T” in “Target”, and “Proxy status” at “DNS only”."},
		{"proxied", cloudflare, "_acme-challenge A 192.0.2.1", "cname-proxied", "and “Proxy status” at “DNS only”."},
		{"a text", cloudflare, "_acme-challenge TXT abc", "cname-is-txt", "and “Proxy status” at “DNS only”."},
		{"the name doubled", ovh, "_acme-challenge.customer.example CNAME $T.", "cname-name-doubled", "The domain's DNS is at OVHcloud: the form wants “_acme-challenge” in “Sub-domain” and “$T.” in “Target”."},
		{"the value doubled", ovh, "_acme-challenge CNAME $T", "cname-value-doubled", "and “$T.” in “Target”."},
		{"at two", "ada.ns.cloudflare.com ns-1.awsdns-1.com", "", "cname-missing", "The domain's DNS is at Cloudflare and Amazon Route 53 at the same time, and each of them needs the record."},
		{"no words known", "hydrogen.ns.hetzner.com helium.ns.hetzner.de", "", "cname-missing", "The domain's DNS is at Hetzner."},
		{"look-alikes", "ns.cloudflare.com.example.com bob.cloudflare.com", "", "cname-missing", "at the DNS provider of customer.example."},
		{"right", cloudflare, "_acme-challenge CNAME $T.", "cname", ""},
		{"nothing to enter", cloudflare, "_acme-challenge TXT abc\n_acme-challenge CNAME $T.", "txt-beside", "is there."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Serve(".", rootServedBy(strings.Fields(tc.nameservers)...), dnstest.RootServer)
			w.setDomain(strings.ReplaceAll(tc.records, "$T", w.target))
			got := w.Look(context.Background(), scope, domain)
			if hint := strings.ReplaceAll(tc.hint, "$T", w.target); got.Check != tc.want || !strings.HasSuffix(got.Hint, hint) || hint == "" && got.Hint != "" {
				t.Errorf("got %s, %q, want %s, %q at the end", got.Check, got.Hint, tc.want, hint)
			}
			if again := w.Look(context.Background(), scope, domain); again != got {
				t.Errorf("the second look says %+v, the first %+v", again, got)
			}
		})
	}
}

// A sub-domain that is a zone of its own is entered where that zone is, and what is
// typed is what is in front of its apex.
func TestHintForAZoneOfItsOwn(t *testing.T) {
	w := newWorld(t)
	w.setDomain("shop NS ada.ns.cloudflare.com.")
	w.Serve(".", rootServedBy("dns10.ovh.net")+"ada.ns.cloudflare.com. A "+otherServer, dnstest.RootServer)
	w.Serve("shop."+domain, "@ NS ada.ns.cloudflare.com.", otherServer)
	got := w.Look(context.Background(), scope, "www.shop."+domain)
	if got.Check != "cname-missing" || !strings.Contains(got.Hint, "at Cloudflare: the form wants “_acme-challenge.www” in “Name”") || strings.Contains(got.Hint, "OVH") {
		t.Errorf("got %+v", got)
	}
}

// Resolvers alone do not say who is in charge.
func TestHintWithoutTheDomainsServers(t *testing.T) {
	w := newWorld(t)
	w.Serve(".", rootServedBy("ada.ns.cloudflare.com"), dnstest.RootServer)
	w.Checker = &check.Checker{Zone: w.Zone, Resolvers: w.Resolvers, Port: w.World.Port, Timeout: w.Timeout, ResolverOnly: true}
	if got := w.Look(context.Background(), scope, domain); got.Check != "cname-missing" || strings.Contains(got.Hint, "Cloudflare") {
		t.Errorf("got %+v", got)
	}
}
