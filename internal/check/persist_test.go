package check_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
	"github.com/signpost-acme/signpost/internal/zone"
)

// draft-ietf-acme-dns-persist section 4, case by case.
func TestPersist(t *testing.T) {
	const account, hashed = "https://acme.example/acct/1", "https://acme.example/account-hash/sha-256/abc"
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	const day = 24 * time.Hour
	at := func(texts ...string) (out string) {
		for _, s := range texts {
			out += "_validation-persist TXT \"" + s + "\"\n"
		}
		return out
	}
	for _, tc := range []struct {
		name, records string
		wildcard      bool
		want          string
		status        check.Status
		text          string // in Seen or Hint
	}{
		{"right", at("letsencrypt.org; accounturi=" + account), false, "persist", check.OK, ""},
		{"right, in one line and other letters", at("LetsEncrypt.org;AccountURI=" + account), false, "persist", check.OK, ""},
		{"right, in two strings", `_validation-persist TXT "letsencrypt.org;" " accounturi=` + account + `"`, false, "persist", check.OK, ""},
		{"right, hashed", at("letsencrypt.org; accounturi=" + hashed), false, "persist", check.OK, ""},
		{"right, with what nobody knows", at("letsencrypt.org; accounturi=" + account + "; color=blue; policy=narrow"), false, "persist", check.OK, ""},
		{"right, beside other CAs' and other texts", at("other.example; accounturi=https://other.example/2", "v=spf1 -all", "letsencrypt.org; accounturi="+account), false, "persist", check.OK, ""},
		{"right, beside another account's", at("letsencrypt.org; accounturi="+account+"2", "letsencrypt.org; accounturi="+account), false, "persist", check.OK, ""},
		{"right for the wildcard", at("letsencrypt.org; accounturi=" + account + "; policy=WildCard"), true, "persist", check.OK, ""},
		{"more than was asked for", at("letsencrypt.org; accounturi=" + account + "; policy=wildcard"), false, "persist", check.OK, ""},
		{"right, until later", at("letsencrypt.org; accounturi=" + account + "; persistUntil=" + in(31*day)), false, "persist", check.OK, ""},
		{"over a CNAME", "_validation-persist CNAME p\np TXT \"letsencrypt.org; accounturi=" + account + `"`, false, "persist", check.OK, ""},

		{"none", "", false, "persist-missing", check.Failed, `Add the record _validation-persist.customer.example TXT "letsencrypt.org; accounturi=` + account + `".`},
		{"only another CA's", at("other.example; accounturi=" + account), false, "persist-missing", check.Failed, "other.example"},
		{"a CA whose name ends so", at("xletsencrypt.org; accounturi=" + account), false, "persist-missing", check.Failed, ""},
		{"the domain twice", "_validation-persist.customer.example TXT \"letsencrypt.org; accounturi=" + account + `"`, false, "persist-misplaced", check.Failed, "at _validation-persist.customer.example.customer.example"},
		{"at the domain", "@ TXT \"letsencrypt.org; accounturi=" + account + `"`, false, "persist-misplaced", check.Failed, "Rename the record at customer.example,"},
		{"at the challenge name", "_acme-challenge TXT \"letsencrypt.org; accounturi=" + account + `"`, false, "persist-misplaced", check.Failed, "at _acme-challenge.customer.example"},
		{"another text at the domain", `@ TXT "v=spf1 -all"`, false, "persist-missing", check.Failed, ""},

		{"no account", at("letsencrypt.org"), false, "persist-malformed", check.Failed, ""},
		{"two accounts", at("letsencrypt.org; accounturi=" + account + "; accounturi=" + account), false, "persist-malformed", check.Failed, ""},
		{"two policies", at("letsencrypt.org; accounturi=" + account + "; policy=wildcard; policy=wildcard"), true, "persist-malformed", check.Failed, ""},
		{"two ends", at("letsencrypt.org; accounturi=" + account + "; persistUntil=" + in(day) + "; persistUntil=" + in(day)), false, "persist-malformed", check.Failed, ""},
		{"an end that is a day", at("letsencrypt.org; accounturi=" + account + "; persistUntil=2027-12-31"), false, "persist-malformed", check.Failed, ""},
		{"an end before all time", at("letsencrypt.org; accounturi=" + account + "; persistUntil=-1"), false, "persist-malformed", check.Failed, ""},
		{"no syntax at all", at("letsencrypt.org; accounturi"), false, "persist-malformed", check.Failed, ""},

		{"another account", at("letsencrypt.org; accounturi=" + account + "2"), false, "persist-account", check.Failed, "beside or in place"},
		{"accounts are compared letter by letter", at("letsencrypt.org; accounturi=" + strings.ToUpper(account)), false, "persist-account", check.Failed, ""},
		{"it has ended", at("letsencrypt.org; accounturi=" + account + "; persistUntil=" + in(-time.Second)), false, "persist-until", check.Failed, "ended on 2026-11-26"},
		{"it ends now", at("letsencrypt.org; accounturi=" + account + "; persistUntil=" + in(0)), false, "persist-until", check.Failed, ""},
		{"it ends soon", at("letsencrypt.org; accounturi=" + account + "; persistUntil=" + in(29*day)), false, "persist-until", check.Warning, "2026-12-25"},
		{"not for the wildcard", at("letsencrypt.org; accounturi=" + account), true, "persist-wildcard", check.Failed, "policy=wildcard"},
		{"another policy", at("letsencrypt.org; accounturi=" + account + "; policy=narrow"), true, "persist-wildcard", check.Failed, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setDomain(tc.records)
			want := zone.Persist{CA: "letsencrypt.org", Account: account, Wildcard: tc.wildcard}
			got := w.Persist(context.Background(), domain, want, []string{account, hashed}, now)
			if got.Check != tc.want || got.Status != tc.status || !strings.Contains(got.Seen+" "+got.Hint, tc.text) || got.Subject != "_validation-persist.customer.example" {
				t.Errorf("got %+v, want %s %s %q", got, tc.want, tc.status, tc.text)
			}
			if (got.Hint == "") != (got.Status == check.OK) {
				t.Errorf("%s, and the hint is %q", got.Status, got.Hint)
			}
		})
	}
}

func TestPersistUnknown(t *testing.T) {
	w := newWorld(t)
	want := zone.Persist{CA: "letsencrypt.org", Account: "https://acme.example/acct/1"}
	w.Hook(domainServer, dnstest.Fails(dns.RcodeServerFailure))
	w.Hook(domainServer2, dnstest.Fails(dns.RcodeServerFailure))
	if got := w.Persist(context.Background(), domain, want, []string{want.Account}, time.Now()); got.Check != "persist-unknown" || got.Status != check.Unknown || got.Hint == "" {
		t.Errorf("got %+v", got)
	}
	if got := w.Persist(context.Background(), "co.uk", want, []string{want.Account}, time.Now()); got.Check != "domain-public-suffix" {
		t.Errorf("got %+v", got)
	}
}
