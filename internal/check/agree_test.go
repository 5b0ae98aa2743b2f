package check_test

import (
	"slices"
	"testing"

	"github.com/signpost-acme/signpost/internal/check"
)

// kinds has every identifier once. Of one subject there is at most one finding of a
// kind: two would contradict each other.
var kinds = map[string][]string{
	// What is to be said about the record. There is one verdict.
	"verdict": {"domain-invalid", "domain-public-suffix", "domain-own-zone",
		"cname", "cname-missing", "cname-elsewhere", "cname-other-scope", "cname-name-doubled", "cname-value-doubled", "cname-misplaced", "cname-misspelt",
		"cname-is-txt", "cname-proxied", "cname-wildcard", "cname-two", "cname-loop", "cname-unknown",
		"challenge-delegated", "txt-beside", "dnssec-bogus", "authoritative-differ"},
	"what resolvers say": {"cname-cached", "cname-resolver"},
	"caa":                {"caa", "caa-forbids", "caa-account", "caa-unknown"},
	"persist":            {"persist", "persist-missing", "persist-misplaced", "persist-malformed", "persist-account", "persist-wildcard", "persist-until", "persist-unknown"},
	"delegation":         {"delegation", "delegation-missing", "delegation-differs", "delegation-unknown"},
	"ds":                 {"delegation-signed", "ds", "ds-differs", "ds-missing"},
	"secondary":          {"secondary", "secondary-silent", "secondary-not-authoritative", "secondary-lags", "secondary-ahead"},
	"secondary keys":     {"secondary-keys"},
	"primary":            {"primary", "primary-silent", "primary-unknown"},
	"nameserver": {"nameserver", "nameserver-missing", "nameserver-cname", "nameserver-differs", "nameserver-private", "nameserver-unknown",
		"glue-missing", "glue-differs"},
	"server": {"server", "server-udp", "server-tcp", "server-no-route", "server-private", "server-not-authoritative", "server-other"},
	// Beside each other, but not beside an OK.
	"ns": {"server-ns"}, "letters": {"server-letters"}, "edns": {"server-edns"},
}

// only has findings that stand beside one other alone.
var only = map[string]string{"cname-cached": "cname", "cname-resolver": "cname-unknown"}

func kindOf(id string) string {
	for kind, ids := range kinds {
		if slices.Contains(ids, id) {
			return kind
		}
	}
	return ""
}

// together reports whether two findings about one subject may stand together.
func together(a, b string) bool {
	if a == b {
		return false
	}
	for one, other := range map[string]string{a: b, b: a} {
		if with, ok := only[one]; ok && kindOf(other) == "verdict" && other != with {
			return false
		}
		if one == "server" && slices.Contains([]string{"server-ns", "server-letters", "server-edns"}, other) {
			return false
		}
	}
	return kindOf(a) != kindOf(b)
}

// agree fails the test if two of the findings contradict each other.
func agree(t *testing.T, results []check.Finding) {
	t.Helper()
	for i, a := range results {
		for _, b := range results[:i] {
			if a.Subject == b.Subject && !together(b.Check, a.Check) {
				t.Errorf("%+v contradicts %+v", a, b)
			}
		}
	}
}

// Every finding has its place among the pairs that may stand together.
func TestEveryPairOfFindings(t *testing.T) {
	ids := constants(t, "ids.go")
	for _, id := range ids {
		if kindOf(id) == "" {
			t.Errorf("%s is of no kind: say in this table what it may stand beside", id)
		}
	}
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"cname", "cname-missing", false}, {"cname", "txt-beside", false}, {"cname", "authoritative-differ", false},
		{"txt-beside", "authoritative-differ", false}, {"cname", "dnssec-bogus", false}, {"cname", "cname-cached", true},
		{"cname-missing", "cname-cached", false}, {"cname-unknown", "cname-resolver", true}, {"cname", "cname-resolver", false},
		{"cname", "caa-forbids", true}, {"caa", "caa-forbids", false}, {"server", "server-udp", false}, {"server", "server-edns", false},
		{"server-edns", "server-ns", true}, {"nameserver", "nameserver-private", false}, {"delegation", "delegation-signed", true},
		{"persist", "persist-until", false}, {"persist-missing", "cname", true},
		{"ds", "delegation-signed", false}, {"ds-missing", "ds-differs", false}, {"delegation", "ds", true},
		{"secondary", "secondary-lags", false}, {"secondary-ahead", "secondary-lags", false}, {"server", "secondary", true},
	} {
		if together(tc.a, tc.b) != tc.want || together(tc.b, tc.a) != tc.want {
			t.Errorf("%s and %s stand together: %v", tc.a, tc.b, !tc.want)
		}
	}
}
