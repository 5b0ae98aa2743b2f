package ownerpage

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
)

// The page says at every moment how things stand, in one headline and one sentence.
func TestStates(t *testing.T) {
	w := newWorld(t)
	w.slow = make(chan struct{})
	page := w.get(w.first).Body.String()
	has(t, "before the first look", page, "Example Hosting Ltd asks you to add one DNS record for shop.example.com", "Looking for the record",
		"_acme-challenge.shop", "mailto:dns@example.net", "The record belongs where")
	close(w.slow)
	target, err := w.zone.Target(testScope, testDomain)
	if err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(80 * 24 * time.Hour)
	day := soon.UTC().Format("2006-01-02")
	right := found("cname", check.OK, "CNAME "+target.Name)
	for _, tc := range []struct {
		what  string
		sight check.Sight
		certs Certificates
		want  []string
		not   []string
	}{
		{"nothing there", found("cname-missing", check.Failed, "nothing"), Certificates{Issuance: UnderWay},
			[]string{"The record is not there yet", "nothing at _acme-challenge.shop.example.com yet", "ada.ns.cloudflare.com, bob.ns.cloudflare.com",
				"The DNS of example.com is at Cloudflare", `<code id="record-name">_acme-challenge.shop</code>`, "<dt>Target</dt>", target.Name,
				"“Proxy status” to “DNS only”", `<a href="https://developers.cloudflare.com/`, "! One DNS record"}, []string{"valid until 20"}},
		{"appended twice", found("cname-name-doubled", check.Failed, "the CNAME, but at _acme-challenge.shop.example.com.example.com"), Certificates{Issuance: UnderWay},
			[]string{"The record is not right yet", "appended twice: the record is at _acme-challenge.shop.example.com.example.com. Write only _acme-challenge.shop"}, nil},
		{"proxied", found("cname-proxied", check.Failed, "addresses: 192.0.2.1"), Certificates{}, []string{"it is proxied, or of type A", "192.0.2.1"}, nil},
		{"TXT", found("cname-is-txt", check.Failed, "a TXT record"), Certificates{}, []string{"There is a TXT record at _acme-challenge.shop.example.com"}, nil},
		{"some servers", found("authoritative-differ", check.Failed, "not so at ns2.example.com (192.0.2.9)"), Certificates{},
			[]string{"Only some of the DNS servers", "Not right at: ns2.example.com (192.0.2.9)"}, nil},
		{"another scope", found("cname-other-scope", check.Failed, "CNAME x, the target of namespace secret-tenant"), Certificates{},
			[]string{"for another purpose, or an older one"}, []string{"secret-tenant"}},
		{"silence", found("cname-unknown", check.Unknown, "ns1 did not answer"), Certificates{}, []string{"cannot be told right now"}, []string{"not right yet"}},
		{"a finding that nobody has a sentence for", found("something-new", check.Failed, "secret words"), Certificates{}, []string{"Something keeps the record from being seen"}, []string{"secret words"}},
		{"right", right, Certificates{}, []string{"The record is right", "comes as soon as it is asked for"}, []string{"valid until 20"}},
		{"being issued", right, Certificates{Issuance: UnderWay}, []string{"The record is right, and the certificate is being issued"}, []string{"valid until 20"}},
		{"late", right, Certificates{Issuance: Trouble}, []string{"the certificate is late", "You need not do anything"}, nil},
		{"issued", right, Certificates{Issuance: Issued, Expires: soon}, []string{"Done: the certificate is issued, and valid until " + day, "It renews by itself. Leave the record", "✓ One DNS record"}, nil},
		{"expired", right, Certificates{Issuance: Issued, Expires: time.Now().Add(-time.Hour)}, []string{"The record is right"}, []string{"Done", "valid until 20"}},
		{"issued, and the record was taken away", found("cname-missing", check.Failed, "nothing"), Certificates{Issuance: Issued, Expires: soon},
			[]string{"valid until " + day + ", but cannot be renewed", "cannot renew before the record is right"}, []string{"Done"}},
	} {
		page := w.sees(tc.sight, tc.certs, "")
		has(t, tc.what, page, tc.want...)
		for _, not := range tc.not {
			if strings.Contains(page, not) {
				t.Errorf("%s: the page says %q:\n%s", tc.what, not, page)
			}
		}
		if n := len(page) + size(t); n > 50_000 {
			t.Errorf("%s: the page weighs %d octets, with all that it fetches", tc.what, n)
		}
	}
}

// size is that of everything that a page fetches.
func size(t *testing.T) (n int) {
	t.Helper()
	for _, f := range files {
		n += len(f.data)
	}
	return n
}

// Where the domain is served by nobody known, by several, or under names of its own.
func TestWhere(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		what string
		ns   []string
		want []string
	}{
		{"unknown", []string{"ns1.dns.example", "ns2.dns.example"}, []string{"nameservers in charge of example.com are ns1.dns.example, ns2.dns.example", "often called Name, Host or Hostname"}},
		{"vanity", []string{"ns1.example.com"}, []string{"nameservers in charge of example.com are ns1.example.com"}},
		{"two", []string{"ada.ns.cloudflare.com", "ns01.domaincontrol.com"}, []string{"is at Cloudflare and GoDaddy at the same time", "<h3>At Cloudflare</h3>", "<h3>At GoDaddy</h3>"}},
		{"many", []string{"a.example", "b.example", "c.example", "d.example", "e.example"}, []string{"a.example, b.example, c.example, d.example, …"}},
		{"none", nil, []string{"belongs where the DNS of example.com is managed"}},
	} {
		s := found("cname-missing", check.Failed, "nothing")
		s.Nameservers = tc.ns
		has(t, tc.what, w.sees(s, Certificates{}, ""), tc.want...)
	}
}

// The part that changes is sent only if it has changed.
func TestLive(t *testing.T) {
	w := newWorld(t)
	page := w.sees(found("cname-missing", check.Failed, "nothing"), Certificates{}, "?live")
	has(t, "live", page, `id="status"`, `id="where"`)
	if strings.Contains(page, "<h1>") {
		t.Errorf("the whole page is sent:\n%s", page)
	}
	first := w.get(w.first + "?live")
	tag := first.Header().Get("ETag")
	if again := w.get(w.first+"?live", "If-None-Match", tag); tag == "" || again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("the same once more: %d, %d octets", again.Code, again.Body.Len())
	}
	w.sees(found("cname-is-txt", check.Failed, "a TXT record"), Certificates{}, "?live")
	if next := w.get(w.first+"?live", "If-None-Match", tag); next.Code != http.StatusOK || next.Header().Get("ETag") == tag {
		t.Errorf("another: %d, %s", next.Code, next.Header().Get("ETag"))
	}
}

func TestWithoutCompany(t *testing.T) {
	w := newWorld(t)
	w.page.Company, w.page.Contact = "", ""
	page := w.get(w.first).Body.String()
	has(t, "nobody", page, "You are asked to add one DNS record", "It lets those who asked you")
	if strings.Contains(page, "Questions:") || strings.Contains(page, "{contact}") {
		t.Error(page)
	}
	for text, want := range map[string]string{
		"https://example.net/help?a=b&c": `<a href="https://example.net/help?a=b&amp;c" rel="noreferrer">`,
		"javascript:alert(1)":            "Questions: javascript:alert(1)",
		"call 555, ask for <b>Bo</b>":    "Questions: call 555, ask for &lt;b&gt;Bo&lt;/b&gt;",
		"a@b?subject=x":                  "Questions: a@b?subject=x",
	} {
		if got := string(contact("Questions: {contact}", text)); !strings.HasPrefix(got, want) && !strings.Contains(got, want) {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// Who wants more is shown the record that binds the domain to the CA and account.
func TestCAA(t *testing.T) {
	w := newWorld(t)
	s := found("cname", check.OK, "CNAME x")
	page := w.sees(s, Certificates{CA: "letsencrypt.org", Account: "https://acme.example/acct/1?a=<b>"}, "")
	has(t, "CAA", page, "no other certificate authority than letsencrypt.org", "<dd><code>CAA</code></dd>", "<dd><code>shop.example.com</code></dd>",
		"<code>0 issue &#34;letsencrypt.org; accounturi=https://acme.example/acct/1?a=&lt;b&gt;&#34;</code>", "Add it only if all certificates",
		"Do not add this record today", "<code>_validation-persist.shop.example.com</code>", "policy=wildcard")
	for _, c := range []Certificates{{}, {CA: "letsencrypt.org"}, {Account: "https://acme.example/acct/1"}} {
		if page := w.sees(s, c, ""); strings.Contains(page, "CAA") || strings.Contains(page, "persist") {
			t.Errorf("%+v: a CAA record", c)
		}
	}
}
