package provider

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/internal/text"
	"github.com/signpost-acme/signpost/internal/zone"
)

var cname = zone.Record{Name: "_acme-challenge.shop.example.com", Type: "CNAME", Value: "id.acme.example.org"}

func byID(t *testing.T, id string) *Provider {
	t.Helper()
	for _, p := range All() {
		if p.ID == id {
			return &p
		}
	}
	t.Fatalf("no provider %s", id)
	return nil
}

// Each language has the same sentences, with the same placeholders.
func TestTexts(t *testing.T) {
	if texts[English] == nil || texts["de"] == nil {
		t.Fatal("English or German is missing")
	}
	for language, sentences := range texts {
		if !slices.Equal(slices.Sorted(maps.Keys(sentences)), slices.Sorted(maps.Keys(texts[English]))) {
			t.Errorf("%s has other sentences than English", language)
		}
		for key, s := range sentences {
			if s == "" || !slices.Equal(text.Placeholders(s), text.Placeholders(texts[English][key])) {
				t.Errorf("%s, %s: %q has other placeholders than English", language, key, s)
			}
		}
	}
}

func TestEntry(t *testing.T) {
	for _, tc := range []struct {
		id, apex string
		want     Entry
	}{
		{"cloudflare", "", Entry{"Name", "_acme-challenge.shop", "Target", "id.acme.example.org"}},
		{"cloudflare", "shop.example.com", Entry{"Name", "_acme-challenge", "Target", "id.acme.example.org"}},
		{"ovh", "example.com", Entry{"Sub-domain", "_acme-challenge.shop", "Target", "id.acme.example.org."}},
		{"hetzner", "example.com", Entry{"", "_acme-challenge.shop", "", "id.acme.example.org"}},
		{"cloudflare", "example.net", Entry{"Name", "_acme-challenge.shop.example.com", "Target", "id.acme.example.org"}},
	} {
		if got := byID(t, tc.id).Entry(cname, tc.apex); got != tc.want {
			t.Errorf("%s, %q: %+v, want %+v", tc.id, tc.apex, got, tc.want)
		}
	}
	full := Provider{Typed: Full}
	if got := full.Entry(cname, ""); got.Name != cname.Name {
		t.Errorf("a form for full names: %+v", got)
	}
	if got := (*Provider)(nil).Entry(cname, ""); got.Name != "_acme-challenge.shop" || got.Value != cname.Value {
		t.Errorf("no provider: %+v", got)
	}
}

func TestSteps(t *testing.T) {
	for _, tc := range []struct {
		language, id string
		want         []string
	}{
		{"en", "cloudflare", []string{"at Cloudflare", `into the field “Name”, and no more`, `into the field “Target”`, "“Proxy status” to “DNS only”", "Save", "https://developers.cloudflare.com/"}},
		{"de", "cloudflare", []string{"bei Cloudflare", `in das Feld „Name“`, `in das Feld „Target“`, "„Proxy status“ auf „DNS only“", "Speichern", "https://developers.cloudflare.com/"}},
		{"en", "ovh", []string{"at OVHcloud", "“Sub-domain”", "id.acme.example.org. into the field “Target”, with the dot", "Save", "https://"}},
		{"en", "strato", []string{"at STRATO", "often called Name", "field for the value, with the dot", "Save", "https://"}},
		{"en", "easydns", []string{"at easyDNS", "“HOST”", "“Address”, with the dot", "Save", "https://kb.easydns.com/"}},
		{"en", "hurricane-electric", []string{"at Hurricane Electric", "often called Name", "often called Value", "Save"}},
		{"tlh", "hetzner", []string{"at Hetzner", "often called Name", "often called Value", "Save", "https://"}},
		{"en", "", []string{"whose nameservers serve it", "often called Name", "often called Value", "Save"}},
	} {
		var p *Provider
		if tc.id != "" {
			p = byID(t, tc.id)
		}
		got := Steps(tc.language, p, cname, "")
		if len(got) != len(tc.want) {
			t.Errorf("%s, %s: %d steps: %q", tc.language, tc.id, len(got), got)
			continue
		}
		for i, want := range tc.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s, %s: step %d is %q, want %q in it", tc.language, tc.id, i+1, got[i], want)
			}
		}
	}
}

// No sentence of any provider in any language is left with a placeholder.
func TestNoPlaceholderIsLeft(t *testing.T) {
	all := append([]*Provider{nil}, byAll()...)
	for language := range texts {
		for _, p := range all {
			for _, s := range Steps(language, p, cname, "") {
				if strings.ContainsAny(s, "{}") || strings.Contains(s, "“”") || strings.Contains(s, "„“") {
					t.Errorf("%s: %q", language, s)
				}
			}
		}
	}
}

func byAll() (out []*Provider) {
	for _, p := range All() {
		out = append(out, &p)
	}
	return out
}

// A name with braces stays what it is.
func TestNamesAreNoPlaceholders(t *testing.T) {
	r := zone.Record{Name: "{value}.example.com", Type: "CNAME", Value: "{name}"}
	if got := Steps(English, nil, r, ""); !strings.Contains(got[1], "Write {value} into") || !strings.Contains(got[2], "Write {name} into") {
		t.Errorf("%q", got)
	}
}

func TestHint(t *testing.T) {
	for nameservers, want := range map[string]string{
		"ada.ns.cloudflare.com":                   "The domain's DNS is at Cloudflare: the form wants “_acme-challenge.shop” in “Name” and “id.acme.example.org” in “Target”, and “Proxy status” at “DNS only”.",
		"dns10.ovh.net":                           "The domain's DNS is at OVHcloud: the form wants “_acme-challenge.shop” in “Sub-domain” and “id.acme.example.org.” in “Target”.",
		"docks10.rzone.de":                        "The domain's DNS is at STRATO: the value has to end in a dot.",
		"helium.ns.hetzner.de":                    "The domain's DNS is at Hetzner.",
		"ns1.example.com":                         "",
		"ns-1.awsdns-1.com ada.ns.cloudflare.com": "The domain's DNS is at Cloudflare and Amazon Route 53 at the same time, and each of them needs the record.",
	} {
		if got := Hint(strings.Fields(nameservers), cname, ""); got != want {
			t.Errorf("Hint(%s) = %q, want %q", nameservers, got, want)
		}
	}
}

// A language can be added, sentence by sentence.
func TestTranslate(t *testing.T) {
	t.Cleanup(func() { delete(texts, "fr") })
	if err := Translate("fr", map[string]string{"save": "Enregistrez."}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(Steps("fr", nil, cname, ""), " "); !strings.Contains(got, "Enregistrez.") || !strings.Contains(got, "Write _acme-challenge.shop into the field") {
		t.Error(got)
	}
	for key, text := range map[string]string{"nothing": "x", "docs": "without placeholders"} {
		if err := Translate("fr", map[string]string{key: text}); err == nil || !strings.Contains(err.Error(), "provider-"+key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
