package provider

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the data promises: enough providers, each with what it needs, and nothing that
// no source gives.
func TestData(t *testing.T) {
	ids := map[string]bool{}
	words, docs, complete := 0, 0, 0
	pattern := regexp.MustCompile(`^[a-z0-9*#-]+(\.[a-z0-9*#-]+){2,}$`)
	for _, p := range All() {
		if p.ID == "" || ids[p.ID] || p.Name == "" || len(p.Nameservers) == 0 || len(p.Sources) == 0 {
			t.Errorf("%q: twice, or without name, nameservers or sources", p.ID)
		}
		ids[p.ID] = true
		for _, n := range p.Nameservers {
			if !pattern.MatchString(n) || strings.ContainsAny(strings.Join(strings.Split(n, ".")[1:], "."), "*#") && !slices.Contains([]string{"route53", "ns1"}, p.ID) {
				t.Errorf("%s: the pattern %q is no name, or leaves more than its first label open", p.ID, n)
			}
		}
		for _, s := range p.Sources {
			if known.Sources[s] == "" {
				t.Errorf("%s: no source %q", p.ID, s)
			}
		}
		if day, err := time.Parse(time.DateOnly, p.Read); err != nil || day.After(time.Now()) {
			t.Errorf("%s: read: %q, %v", p.ID, p.Read, err)
		}
		if (p.Form.Name == "") != (p.Form.Value == "") || (p.Proxy.Switch == "") != (p.Proxy.Position == "") {
			t.Errorf("%s: half a form, or half a switch: %+v", p.ID, p)
		}
		if p.Form.Name != "" {
			words++
			if p.Typed == "" {
				t.Errorf("%s: a form, but not what it wants as the name", p.ID)
			}
			if !slices.ContainsFunc(p.Sources, func(s string) bool {
				return slices.Contains([]string{"own", "m365", "reread", "guide", "copy", "webform", "checked", "panels", "mailguide", "projects"}, s)
			}) {
				t.Errorf("%s: no source for its words", p.ID)
			}
		}
		if p.Form.Name != "" && p.Docs != "" {
			complete++
		}
		if p.Docs != "" {
			docs++
			if u, err := url.Parse(p.Docs); err != nil || u.Scheme != "https" || u.Host == "" {
				t.Errorf("%s: docs: %q", p.ID, p.Docs)
			}
		}
		if (p.Docs != "") != (slices.Contains(p.Sources, "own") || slices.Contains(p.Sources, "link")) {
			t.Errorf("%s: a page without a source, or the other way round", p.ID)
		}
	}
	// The promise is of providers that have all of it: the words of the form, whether it
	// appends the domain, and the page.
	if len(ids) < 47 || words < 32 || docs < 39 || complete < 32 {
		t.Errorf("%d providers, %d with their words, %d with a page, %d with both", len(ids), words, docs, complete)
	}
}

func TestDataIsReadStrictly(t *testing.T) {
	for _, bad := range []string{"providers: [{id: x, title: y}]", "providers: [{id: x, id: y}]", "providers: [{id: x, typed: halfway}]", "providers: {"} {
		if d, err := parse([]byte(bad)); err == nil {
			t.Errorf("parse(%q) = %+v", bad, d)
		}
	}
}

func TestRecognise(t *testing.T) {
	for _, tc := range []struct {
		nameservers string
		want        string
	}{
		{"ada.ns.cloudflare.com bob.ns.cloudflare.com", "cloudflare"},
		{"ADA.NS.CloudFlare.COM.", "cloudflare"},
		{"ns59.domaincontrol.com ns60.domaincontrol.com", "godaddy"},
		{"dns1.registrar-servers.com dns2.registrar-servers.com", "namecheap"},
		{"ns-1234.awsdns-12.org ns-567.awsdns-34.co.uk ns-12.awsdns-01.com ns-999.awsdns-60.net", "route53"},
		{"ns1045.ui-dns.de ns1102.ui-dns.com ns1037.ui-dns.org ns1055.ui-dns.biz", "ionos"},
		{"docks10.rzone.de shades01.rzone.de", "strato"},
		{"a.dns.gandi.net ns-12-b.gandi.net", "gandi"},
		{"dns10.ovh.net ns10.ovh.net", "ovh"},
		{"ns1-01.azure-dns.com ns2-01.azure-dns.net", "azure"},
		{"hydrogen.ns.hetzner.com helium.ns.hetzner.de", "hetzner"},
		{"ns-cloud-a1.googledomains.com", "google-cloud"},
		{"root-dns.netcup.net second-dns.netcup.net", "netcup"},
		{"dns1.p01.nsone.net", "ns1"},
		{"ns.inwx.de ns3.inwx.eu", "inwx"},
		// Two at once, in the order of the data.
		{"ns-1.awsdns-01.com ada.ns.cloudflare.com ns1.example.net", "cloudflare route53"},
		// Unknown ones, and vanity nameservers.
		{"ns1.example.net ns2.example.net", ""},
		{"ns1.example.com ns2.example.com", ""},
		{"", ""},
		{". .. .com", ""},
		// Look-alikes.
		{"ada.ns.cloudflare.com.evil.example", ""},
		{"ns.cloudflare.com.evil.example", ""},
		{"ns.cloudflare.com", ""},
		{"ada.ns.cloudflare.com.co", ""},
		{"x.ada.ns.cloudflare.com", ""},
		{"adans.cloudflare.com", ""},
		{"ada.xns.cloudflare.com", ""},
		{"evilns.cloudflare.com", ""},
		{`ada\.ns.cloudflare.com`, ""},
		{`ada.ns\.cloudflare.com`, ""},
		{`a\046b.ns.cloudflare.com`, ""},
		{"*.ns.cloudflare.com", ""},
		{"#.ns.cloudflare.com", ""},
		{"ada .ns.cloudflare.com", ""},
		{"ns.domaincontrol.com", ""},
		{"ns1x.domaincontrol.com", ""},
		{"ns-webde.ui-dns.de", ""}, // of another company
		{"ns1.googledomains.com", ""},
		{"ns-1.awsdns-1.co.uk.example", ""},
		{"ns-1.awsdns-.com", ""},
		{"awsdns-1.com", ""},
		{"ns-1.aw\u017fdns-1.com", ""}, // a long s is no s
	} {
		var got []string
		for _, p := range Recognise(strings.Fields(tc.nameservers)) {
			got = append(got, p.ID)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("Recognise(%s) = %q, want %q", tc.nameservers, got, tc.want)
		}
	}
}

// No provider's nameservers are taken for another's.
func TestPatternsAreApart(t *testing.T) {
	for _, p := range All() {
		for _, pattern := range p.Nameservers {
			name := strings.NewReplacer("*", "a1", "#", "1").Replace(pattern)
			if got := Recognise([]string{name}); len(got) != 1 || got[0].ID != p.ID {
				t.Errorf("%s, one of %s: recognised as %+v", name, p.ID, got)
			}
		}
	}
}

func FuzzRecognise(f *testing.F) {
	for _, seed := range []string{"ada.ns.cloudflare.com", "ns-1.awsdns-1.co.uk.", `a\.b`, "", "...", strings.Repeat("1-", 120)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, p := range Recognise([]string{name}) {
			if strings.ContainsAny(name, "\\ *#/@") {
				t.Errorf("%q was taken for %s", name, p.ID)
			}
		}
	})
}
