package check_test

import (
	"context"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/internal/check"
)

// RFC 8659 and RFC 8657, case by case. $A is the account.
func TestCAA(t *testing.T) {
	const account = "https://acme.example/acct/1"
	anyAccount := check.CA{Identities: []string{"letsencrypt.org"}}
	ours := check.CA{Identities: []string{"letsencrypt.org"}, AccountURI: account}
	for _, tc := range []struct {
		name, records, domain string
		ca                    check.CA
		want                  string
		status                check.Status
		text                  string // in Seen or Hint
	}{
		{"nobody asks", `@ CAA 0 issue "other.example"`, domain, check.CA{AccountURI: account}, "", "", ""},
		{"none", "", domain, anyAccount, "caa", check.OK, "no CAA"},
		{"named", `@ CAA 0 issue "letsencrypt.org"`, domain, anyAccount, "caa", check.OK, ""},
		{"named, in other letters", `@ CAA 0 ISSUE "letsencrypt.org"`, domain, anyAccount, "caa", check.OK, ""},
		{"another", `@ CAA 0 issue "other.example"`, domain, anyAccount, "caa-forbids", check.Failed, `Add the record customer.example CAA 0 issue "letsencrypt.org".`},
		{"another one that ends so", `@ CAA 0 issue "xletsencrypt.org"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"one of several", "@ CAA 0 issue \"other.example\"\n@ CAA 0 issue \"letsencrypt.org\"", domain, anyAccount, "caa", check.OK, ""},
		{"a CA of several names", `@ CAA 0 issue "pki.goog"`, domain, check.CA{Identities: []string{"google.example", "pki.goog"}}, "caa", check.OK, ""},

		// RFC 8659 section 3: the tree is climbed, not beyond what was found.
		{"inherited", `@ CAA 0 issue "other.example"`, "a.b." + domain, anyAccount, "caa-forbids", check.Failed, "at customer.example"},
		{"the nearest counts", "@ CAA 0 issue \"other.example\"\nb CAA 0 issue \"letsencrypt.org\"", "a.b." + domain, anyAccount, "caa", check.OK, ""},
		{"the nearest counts, and forbids", "@ CAA 0 issue \"letsencrypt.org\"\nb CAA 0 issue \"other.example\"", "a.b." + domain, anyAccount, "caa-forbids", check.Failed, "at b.customer.example"},
		{"the nearest has nothing about issuing", "@ CAA 0 issue \"other.example\"\nb CAA 0 iodef \"mailto:a@customer.example\"", "a.b." + domain, anyAccount, "caa", check.OK, ""},
		{"below does not count", `b CAA 0 issue "other.example"`, domain, anyAccount, "caa", check.OK, "no CAA"},
		{"at a CNAME's target", "b CNAME c\nc CAA 0 issue \"other.example\"\n@ CAA 0 issue \"letsencrypt.org\"", "b." + domain, anyAccount, "caa-forbids", check.Failed, "at b.customer.example"},
		{"not above a CNAME's target", "b CNAME c.d\nd CAA 0 issue \"other.example\"\nc.d A 192.0.2.1", "b." + domain, anyAccount, "caa", check.OK, "no CAA"},
		{"above a CNAME", "b CNAME c\nc A 192.0.2.1\n@ CAA 0 issue \"other.example\"", "b." + domain, anyAccount, "caa-forbids", check.Failed, "at customer.example"},

		// Section 4.2: who may issue.
		{"nobody", `@ CAA 0 issue ";"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"nobody, by an empty value", `@ CAA 0 issue ""`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"nobody, by space", `@ CAA 0 issue "   "`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"nobody, with a parameter", `@ CAA 0 issue "; a=b"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"nobody, but one", "@ CAA 0 issue \";\"\n@ CAA 0 issue \"letsencrypt.org\"", domain, anyAccount, "caa", check.OK, ""},
		{"malformed", `@ CAA 0 issue "%%%%%"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"a malformed parameter", `@ CAA 0 issue "letsencrypt.org; accounturi"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"a malformed tag", `@ CAA 0 issue "letsencrypt.org; a_b=c"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"parameters without semicolons", `@ CAA 0 issue "letsencrypt.org a=b"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"a parameter that nobody knows", `@ CAA 0 issue "letsencrypt.org; policy=ev"`, domain, anyAccount, "caa", check.OK, ""},
		{"a semicolon and nothing behind it", `@ CAA 0 issue "letsencrypt.org ; "`, domain, anyAccount, "caa", check.OK, ""},
		{"space everywhere", `@ CAA 0 issue "  letsencrypt.org  ;  validationmethods  =  dns-01  "`, domain, anyAccount, "caa", check.OK, ""},

		// Section 4.3: wildcards.
		{"wildcards have their own", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 0 issuewild \";\"", "*." + domain, anyAccount, "caa-forbids", check.Failed, "issuewild"},
		{"wildcards have their own, which lets", "@ CAA 0 issue \"other.example\"\n@ CAA 0 issuewild \"letsencrypt.org\"", "*." + domain, anyAccount, "caa", check.OK, ""},
		{"wildcards as they come out of a copy", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 0 issuewild \";\"", " *." + domain, anyAccount, "caa-forbids", check.Failed, "issuewild"},
		{"which does not count for the name", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 0 issuewild \";\"", domain, anyAccount, "caa", check.OK, ""},
		{"only for wildcards", "@ CAA 0 issuewild \"other.example\"", domain, anyAccount, "caa", check.OK, ""},
		{"issue counts for wildcards", `@ CAA 0 issue "other.example"`, "*." + domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"issuewild of another level", "@ CAA 0 issuewild \";\"\nb CAA 0 issue \"letsencrypt.org\"", "*.b." + domain, anyAccount, "caa", check.OK, ""},

		// Sections 4.1, 4.4 and 4.5: other properties.
		{"only where to complain", `@ CAA 0 iodef "mailto:a@customer.example"`, domain, anyAccount, "caa", check.OK, ""},
		{"critical, and known", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 128 iodef \"mailto:a@customer.example\"", domain, anyAccount, "caa", check.OK, ""},
		{"critical issue", "@ CAA 128 issue \"letsencrypt.org\"", domain, anyAccount, "caa", check.OK, ""},
		{"critical and unknown", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 128 tbs \"x\"", domain, anyAccount, "caa-forbids", check.Failed, `tag "tbs"`},
		{"critical as many misread it", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 1 tbs \"x\"", domain, anyAccount, "caa-forbids", check.Failed, `tag "tbs"`},
		{"unknown", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 0 tbs \"x\"", domain, anyAccount, "caa", check.OK, ""},
		{"unknown alone", "@ CAA 0 tbs \"x\"", domain, anyAccount, "caa", check.OK, ""},
		{"for mail alone", "@ CAA 0 issuemail \";\"", domain, anyAccount, "caa", check.OK, ""},

		// RFC 8657 section 3: the account.
		{"our account", `@ CAA 0 issue "letsencrypt.org; accounturi=$A"`, domain, ours, "caa", check.OK, ""},
		{"another account", `@ CAA 0 issue "letsencrypt.org; accounturi=$A2"`, domain, ours, "caa-account", check.Failed,
			`Add the record customer.example CAA 0 issue "letsencrypt.org; accounturi=https://acme.example/acct/1"`},
		{"another account, inherited", `@ CAA 0 issue "letsencrypt.org; accounturi=$A2"`, "a." + domain, ours, "caa-account", check.Failed, "at customer.example"},
		{"another account of another CA", `@ CAA 0 issue "other.example; accounturi=$A2"`, domain, ours, "caa-forbids", check.Failed, "accounturi=https"},
		{"our account at another CA", `@ CAA 0 issue "other.example; accounturi=$A"`, domain, ours, "caa-forbids", check.Failed, ""},
		{"several accounts, one of them ours", "@ CAA 0 issue \"letsencrypt.org; accounturi=$A2\"\n@ CAA 0 issue \"letsencrypt.org; accounturi=$A\"", domain, ours, "caa", check.OK, ""},
		{"several accounts, none of them ours", "@ CAA 0 issue \"letsencrypt.org; accounturi=$A2\"\n@ CAA 0 issue \"letsencrypt.org; accounturi=$A3\"", domain, ours, "caa-account", check.Failed, ""},
		{"any account beside", "@ CAA 0 issue \"letsencrypt.org; accounturi=$A2\"\n@ CAA 0 issue \"letsencrypt.org\"", domain, ours, "caa", check.OK, ""},
		{"two accounts in one record", `@ CAA 0 issue "letsencrypt.org; accounturi=$A; accounturi=$A2"`, domain, ours, "caa-forbids", check.Failed, ""},
		{"an empty account", `@ CAA 0 issue "letsencrypt.org; accounturi="`, domain, ours, "caa-account", check.Failed, ""},
		{"an empty account, and ours is not known", `@ CAA 0 issue "letsencrypt.org; accounturi="`, domain, anyAccount, "caa-account", check.Failed, ""},
		{"ours is not known", `@ CAA 0 issue "letsencrypt.org; accounturi=$A"`, domain, anyAccount, "caa-account", check.Warning, "status.acme.uri"},
		{"ours is not known, and any will do", "@ CAA 0 issue \"letsencrypt.org; accounturi=$A\"\n@ CAA 0 issue \"letsencrypt.org\"", domain, anyAccount, "caa", check.OK, ""},
		{"odd letters and space", `@ CAA 0 issue "letsencrypt.org ;AccountURI =  $A "`, domain, ours, "caa", check.OK, ""},
		{"another account in odd letters", `@ CAA 0 issue "letsencrypt.org ;AccountURI=$A2"`, domain, ours, "caa-account", check.Failed, ""},
		{"the URI in other letters is another", `@ CAA 0 issue "letsencrypt.org; accounturi=HTTPS://acme.example/acct/1"`, domain, ours, "caa-account", check.Failed, ""},
		{"an equals sign in the URI", `@ CAA 0 issue "letsencrypt.org; accounturi=https://acme.example/acct?id=1"`, domain,
			check.CA{Identities: []string{"letsencrypt.org"}, AccountURI: "https://acme.example/acct?id=1"}, "caa", check.OK, ""},
		{"the wildcard's account", "@ CAA 0 issue \"letsencrypt.org; accounturi=$A\"\n@ CAA 0 issuewild \"letsencrypt.org; accounturi=$A2\"", "*." + domain, ours, "caa-account", check.Failed, "CAA 0 issuewild"},

		// RFC 8657 section 4: the method.
		{"another method", `@ CAA 0 issue "letsencrypt.org; validationmethods=http-01"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"this method", `@ CAA 0 issue "letsencrypt.org; validationmethods=http-01,dns-01"`, domain, anyAccount, "caa", check.OK, ""},
		{"this method in odd letters", `@ CAA 0 issue "letsencrypt.org; ValidationMethods=dns-01"`, domain, anyAccount, "caa", check.OK, ""},
		{"methods with space between", `@ CAA 0 issue "letsencrypt.org; validationmethods=http-01, dns-01"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"an empty list of methods", `@ CAA 0 issue "letsencrypt.org; validationmethods="`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"methods twice", `@ CAA 0 issue "letsencrypt.org; validationmethods=dns-01; validationmethods=dns-01"`, domain, anyAccount, "caa-forbids", check.Failed, ""},
		{"our account by another method", `@ CAA 0 issue "letsencrypt.org; accounturi=$A; validationmethods=http-01"`, domain, ours, "caa-forbids", check.Failed, ""},
		{"our account by this method", `@ CAA 0 issue "letsencrypt.org; validationmethods=dns-01; accounturi=$A"`, domain, ours, "caa", check.OK, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setDomain(strings.ReplaceAll(tc.records, "$A", account))
			got := w.Domain(context.Background(), scope, tc.domain, tc.ca)
			agree(t, got)
			if tc.want == "" {
				if len(got) != 1 {
					t.Errorf("got %+v", got)
				}
				return
			}
			r := get(t, got, tc.want)
			if r.Status != tc.status || !strings.Contains(r.Seen+r.Hint, tc.text) {
				t.Errorf("got %+v, want %s and %q in it", r, tc.status, tc.text)
			}
			if (r.Status == check.OK) != (r.Hint == "") {
				t.Errorf("got %+v: a hint where nothing is to be done, or none where something is", r)
			}
		})
	}
}
