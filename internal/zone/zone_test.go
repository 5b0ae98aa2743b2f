package zone_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/zone"
)

func mustZone(t *testing.T, origin string) *zone.Zone {
	t.Helper()
	z, err := zone.New(origin)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// The vectors come from Python's uuid module: uuid5(uuid5(NAMESPACE_DNS, zone), scope + "/" + domain).
func TestTargetVectors(t *testing.T) {
	for _, tc := range []struct{ zone, scope, domain, want string }{
		{"acme.example.com", "cert-manager", "example.com", "01917426-a1cd-547e-bc8e-ca4d7b697e62"},
		{"acme.example.com", "team-a", "example.com", "9cc75bfc-78bd-50c2-8636-0932fd3aceed"},
		{"ACME.Example.COM.", "cert-manager", "*.EXAMPLE.com.", "01917426-a1cd-547e-bc8e-ca4d7b697e62"},
		{"acme.example.com", "cert-manager", "bücher.example", "85475a7c-497e-5cea-9dcb-060e46af4e1b"},
		{"acme.example.com", "cert-manager", "*.xn--BCHER-kva.example", "85475a7c-497e-5cea-9dcb-060e46af4e1b"},
	} {
		got, err := mustZone(t, tc.zone).Target(tc.scope, tc.domain)
		if want := tc.want + ".acme.example.com"; err != nil || got.Name != want || got.ID.String() != tc.want {
			t.Errorf("Target(%s, %s, %s) = %v, %v, want %s", tc.zone, tc.scope, tc.domain, got, err, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for origin, want := range map[string]string{
		"":                                       "is empty",
		".":                                      "is empty",
		"com":                                    "two labels",
		"acme..example.com":                      "empty label",
		".acme.example.com":                      "empty label",
		"192.0.2.1":                              "IP address",
		"acme.exam ple.com":                      "character",
		"*.example.com":                          `"*"`,
		"-a.example.com":                         "hyphen",
		strings.Repeat("a", 64) + ".example.com": "longer than 63",
		strings.Repeat(strings.Repeat("a", 53)+".", 4) + "com": "no room",
	} {
		if _, err := zone.New(origin); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%q) = %v, want an error with %q", origin, err, want)
		}
	}
}

func TestDomain(t *testing.T) {
	long := strings.Repeat("abcdefgh.", 26) + "com" // 237 characters: the longest that fits behind _acme-challenge.
	for in, want := range map[string]string{
		"example.com":                   "example.com",
		"*.Example.COM.":                "example.com",
		"BÜCHER.example":                "xn--bcher-kva.example",
		"xn--bcher-kva.example":         "xn--bcher-kva.example",
		"straße.example":                "xn--strae-oqa.example",
		"例え。テスト":                        "xn--r8jz45g.xn--zckzah",
		"r3---sn.example.com":           "r3---sn.example.com",
		"foo_bar.example.com":           "foo_bar.example.com",
		long:                            long,
		" example.com\n":                "example.com",
		"\u00a0Example.com\u3000":       "example.com",
		"\u200bexam\u200bple.com\ufeff": "example.com",
		"\u202aexample.com\u202c":       "example.com",
		"\u200dexample.com\u200c":       "example.com",
		"example\uff0ecom":              "example.com",
		"\uff0a\u3002example\uff61com":  "example.com",
		" *.example.com. ":              "example.com",
		"ｅｘａｍｐｌｅ.com":                   "example.com",
	} {
		if got, err := zone.Domain(in); err != nil || got != want {
			t.Errorf("Domain(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                              "is empty",
		"*.":                            "is empty",
		"*":                             `"*"`,
		"*.*.example.com":               `"*"`,
		"a.*.example.com":               `"*"`,
		"f*.example.com":                "character",
		"example.com..":                 "empty label",
		"2001:db8::1":                   "IP address",
		"*.192.0.2.1":                   "IP address",
		"exa\x00mple.com":               "character",
		"example.com/a":                 "has a path, not a name: write example.com",
		"_acme-challenge.example.com":   "is where the record of example.com goes, not a domain: write example.com",
		"_ACME-Challenge.Example.com.":  "write example.com",
		"*._acme-challenge.example.com": "write example.com",
		"_acme-challenge._acme-challenge.example.com": "write example.com",
		"https://Example.com:8443/a?b#c":              "is a URL, not a name: write example.com",
		"http://":                                     "is a URL, not a name: write the name alone",
		"https://user:password@example.com":           "is a URL, not a name: write example.com",
		"example.com:443":                             "has a port, not a name: write example.com",
		"*.example.com:443":                           "has a port, not a name: write example.com",
		"hostmaster@example.com":                      "is an e-mail address, not a name: write example.com",
		"@example.com":                                "character",
		"example .com":                                "character",
		"example.com,example.org":                     "character",
		"https://192.0.2.1/":                          "is a URL, not a name: write the name alone",
		"uuid\\.acme.com":                             "character",
		"xn--\u00ff.com":                              "internationalised",
		"a" + long:                                    "no room",
	} {
		if got, err := zone.Domain(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Domain(%q) = %q, %v, want an error with %q", in, got, err, want)
		}
	}
}

func TestIsWildcard(t *testing.T) {
	for s, want := range map[string]bool{"*.example.com": true, "\t*.example.com": true, "\u200b\uff0a\u3002example.com": true, "example.com": false, "*example.com": false} {
		if zone.IsWildcard(s) != want {
			t.Errorf("IsWildcard(%q) = %v", s, !want)
		}
	}
}

func TestUnicode(t *testing.T) {
	if got := zone.Unicode("xn--bcher-kva.example"); got != "bücher.example" {
		t.Errorf("Unicode = %q", got)
	}
}

func TestIDRefuses(t *testing.T) {
	z := mustZone(t, "acme.example.com")
	for _, tc := range []struct{ scope, domain, want string }{
		{"", "example.com", "namespace"},
		{"a/b", "example.com", "namespace"},
		{"Team", "example.com", "namespace"},
		{"-a", "example.com", "namespace"},
		{strings.Repeat("a", 64), "example.com", "namespace"},
		{"team-a", "acme.example.com", "inside"},
		{"team-a", "*.foo.ACME.example.com", "inside"},
		{"team-a", "a b", "character"},
	} {
		if got, err := z.Target(tc.scope, tc.domain); err == nil || got != (zone.Target{}) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Target(%q, %q) = %v, %v, want an error with %q", tc.scope, tc.domain, got, err, tc.want)
		}
	}
}

// Names that only look as if they were below the zone are not.
func TestContainsComparesLabels(t *testing.T) {
	z := mustZone(t, "acme.example.com")
	for name, want := range map[string]bool{
		"acme.example.com": true, "a.acme.example.com": true,
		"xacme.example.com": false, "example.com": false, "acme.example.com.evil.com": false,
	} {
		if z.Contains(name) != want {
			t.Errorf("Contains(%q) = %v", name, !want)
		}
	}
}

func TestParseID(t *testing.T) {
	const s = "01917426-A1cd-547e-bc8e-ca4d7b697e62"
	if id, ok := zone.ParseID(s); !ok || id != uuid.MustParse(s) {
		t.Errorf("ParseID(%q) = %v, %v", s, id, ok)
	}
	for _, s := range []string{"", "x", "{01917426-a1cd-547e-bc8e-ca4d7b697e62}", "01917426a1cd-547e-bc8e-ca4d7b697e62-",
		"01917426-a1cd-547e-bc8e-ca4d7b697e6g", "01917426_a1cd-547e-bc8e-ca4d7b697e62", "urn:uuid:01917426-a1cd-547e-bc8e-ca4"} {
		if id, ok := zone.ParseID([]byte(s)); ok {
			t.Errorf("ParseID(%q) = %v", s, id)
		}
	}
}

func FuzzDomain(f *testing.F) {
	for _, s := range []string{"example.com", "*.bücher.example", "xn--a.b", "K.example", "a.-.b", "。"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := zone.Domain(s)
		if err != nil {
			return
		}
		if again, err := zone.Domain(got); err != nil || again != got {
			t.Errorf("Domain(%q) = %q, but Domain of that is %q, %v", s, got, again, err)
		}
	})
}
