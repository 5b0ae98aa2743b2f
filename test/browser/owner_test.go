package browser

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/invite"
	"github.com/signpost-acme/signpost/internal/ownerpage"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/test/chrome"
)

const ownersDomain = "shop.example.com"

// owned is what the owner's page is told. A test changes it while the browser looks.
type owned struct {
	mu           sync.Mutex
	sight        check.Sight
	certificates ownerpage.Certificates
}

func (o *owned) See(context.Context, string, string) check.Sight {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sight
}

func (o *owned) Changed(context.Context, zone.Target) bool { return true }

func (o *owned) set(id string, status check.Status, seen string, c ownerpage.Certificates) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sight = check.Sight{Finding: check.Finding{Check: id, Status: status, Seen: seen}, Apex: "example.com", Nameservers: []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"}}
	o.certificates = c
}

// ownersURL is what links begin with.
const ownersURL = "https://certs.example.net"

// startOwner serves the page, opens a browser, and returns the link, at the address of
// the server here.
func startOwner(t *testing.T) (*tab, *owned, string) {
	t.Helper()
	o := &owned{}
	o.set("cname-missing", check.Failed, "nothing", ownerpage.Certificates{Issuance: ownerpage.UnderWay})
	base, err := url.Parse(ownersURL)
	if err != nil {
		t.Fatal(err)
	}
	keys := invite.Keys{"key-1": []byte(strings.Repeat("k", 48))}
	ctx, cancel := context.WithCancel(context.Background())
	page, err := ownerpage.New(ctx, ownerpage.Config{
		Zone: mustZone(t), URL: base, Keys: func() invite.Keys { return keys }, Looker: o, Texts: ownerpage.Known(), Log: slog.New(slog.DiscardHandler),
		Company: "Example Hosting Ltd", Contact: "dns@hosting.example",
		Certificates: func(string, string) ownerpage.Certificates { o.mu.Lock(); defer o.mu.Unlock(); return o.certificates },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(page)
	t.Cleanup(func() { cancel(); server.Close() })
	link, err := ownerpage.Link(mustZone(t), base, keys, scope, ownersDomain, time.Now().Add(30*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	b := newTab(t)
	b.look(1100, 900, "light")
	return b, o, server.URL + strings.TrimPrefix(link, ownersURL)
}

// accessible fails the test with what axe-core finds.
func (b *tab) accessible(what string) {
	b.t.Helper()
	found, err := chrome.Axe(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range found {
		b.t.Errorf("%s: %s", what, f)
	}
}

// The page follows the record without a reload, names what is wrong, and leaves the
// focus where it is. axe-core finds nothing in any state, light and dark.
func TestOwnerFollowsTheRecord(t *testing.T) {
	b, o, link := startOwner(t)
	b.open(link)
	b.until(shows("#headline", "The record is not there yet"))
	b.until(shows("#in-charge", "The DNS of example.com is at Cloudflare"))
	b.screenshot("owner-missing")
	b.do(chromedp.Focus(chromedp.CSS("#where .copy")))
	for _, step := range []struct {
		id, seen, want string
		status         check.Status
	}{
		{"cname-name-doubled", "the CNAME, but at _acme-challenge.shop.example.com.example.com", "The domain was appended twice", check.Failed},
		{"cname-proxied", "addresses: 192.0.2.1", "it is proxied", check.Failed},
		{"cname-is-txt", "a TXT record", "There is a TXT record", check.Failed},
		{"authoritative-differ", "not so at bob.ns.cloudflare.com (192.0.2.9)", "Only some of the DNS servers", check.Failed},
		{"cname-unknown", "did not answer", "do not answer", check.Unknown},
	} {
		o.set(step.id, step.status, step.seen, ownerpage.Certificates{Issuance: ownerpage.UnderWay})
		b.until(shows("#sentence", step.want))
		b.until(element("#said") + `.textContent.includes(` + `document.querySelector("#sentence").textContent.trim())`) // for those who listen
		b.accessible(step.id)
		b.screenshot("owner-" + step.id)
	}
	if !value[bool](b, `document.activeElement.matches("#where .copy")`) {
		t.Error("the update took away the focus")
	}
	o.set("cname", check.OK, "", ownerpage.Certificates{Issuance: ownerpage.UnderWay})
	b.until(shows("#headline", "the certificate is being issued"))
	b.accessible("being issued")
	end := time.Now().Add(90 * 24 * time.Hour)
	o.set("cname", check.OK, "", ownerpage.Certificates{Issuance: ownerpage.Issued, Expires: end})
	b.until(shows("#headline", "valid until "+end.UTC().Format("2006-01-02")))
	b.until(shows("#status", "Leave the record where it is"))
	b.until(`document.title.startsWith("✓")`)
	for _, scheme := range []string{"dark", "light"} {
		b.look(1100, 900, scheme)
		b.accessible("issued, " + scheme)
	}
	b.screenshot("owner-issued")
	b.look(390, 844, "light")
	b.screenshot("owner-issued-phone")
}

func TestOwnerOnAPhone(t *testing.T) {
	b, o, link := startOwner(t)
	o.set("cname-name-doubled", check.Failed, "the CNAME, but at _acme-challenge.shop.example.com.example.com", ownerpage.Certificates{CA: "letsencrypt.org", Account: "https://acme-v02.api.letsencrypt.org/acme/acct/1234567890"})
	for _, scheme := range []string{"light", "dark"} {
		for _, language := range []string{"en", "de"} {
			b.look(360, 740, scheme)
			b.open(link + "?language=" + language)
			b.until(`document.querySelector("#sentence") !== null`)
			if wide := value[int](b, "document.documentElement.scrollWidth"); wide > 360 {
				t.Errorf("%s, %s: %d pixels wide on a screen of 360", scheme, language, wide)
			}
			if !strings.Contains(b.text("body"), "accounturi=https://") {
				t.Error("no CAA record is shown")
			}
			b.accessible("phone, " + scheme + ", " + language)
			b.screenshot("owner-phone-" + scheme + "-" + language)
		}
	}
	b.open(link[:len(link)-1] + "x")
	b.until(shows("h1", "This link is not valid"))
	b.accessible("a link that is not valid")
}

func TestOwnerWithoutJavaScript(t *testing.T) {
	b, o, link := startOwner(t)
	b.disableJavaScript()
	o.set("cname-is-txt", check.Failed, "a TXT record", ownerpage.Certificates{})
	b.open(link)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(b.text("body"), "There is a TXT record"); { // the page reloads
		if time.Now().After(deadline) {
			t.Fatalf("the page does not reload:\n%s", b.text("body"))
		}
		time.Sleep(100 * time.Millisecond)
	}
	page := b.text("body")
	for _, want := range []string{"_acme-challenge.shop", "acme.example.com", "looks again every 10 seconds", "At Cloudflare", "Please add one DNS record"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "Copy") {
		t.Error("a copy button that cannot work is shown")
	}
}

// By keyboard alone: the value is copied, and the language changed.
func TestOwnerByKeyboard(t *testing.T) {
	b, _, link := startOwner(t)
	b.allowClipboard()
	b.open(link)
	b.until(shows("#in-charge", "Cloudflare"))
	target, err := mustZone(t).Target(scope, ownersDomain)
	if err != nil {
		t.Fatal(err)
	}
	copied := map[string]bool{}
	for range 20 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if !value[bool](b, `document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
			t.Errorf("the focus cannot be seen on %s", value[string](b, "document.activeElement.outerHTML"))
		}
		if value[bool](b, `document.activeElement.matches(".copy")`) {
			b.do(chromedp.KeyEvent(kb.Enter))
			b.until(element("#said") + `.textContent === "Copied"`)
			copied[value[string](b, "navigator.clipboard.readText()")] = true
			b.until(`(document.querySelector("#said").textContent = "", true)`)
		}
	}
	if len(copied) != 3 || !copied["_acme-challenge.shop"] || !copied[target.Name] {
		t.Errorf("copied %v", copied)
	}
	for text := range copied {
		if strings.Contains(text, "Please add") && !strings.Contains(text, ownersURL+"/v1/key-1/") {
			t.Errorf("the text to pass on has no link:\n%s", text)
		}
	}
	b.do(chromedp.Focus(chromedp.CSS("nav a")), chromedp.KeyEvent(kb.Enter))
	b.until(`document.documentElement.lang === "de"`)
}

// Nothing is fetched but the page's own style, script and icon, and its updates; the
// policy refuses nothing of that.
func TestOwnerFetchesNothingElse(t *testing.T) {
	b, _, link := startOwner(t)
	b.open(link)
	b.until(`performance.getEntriesByType("resource").filter(e => e.name.includes("live")).length > 1`)
	own := strings.SplitAfter(link, "/v1/")[0]
	own = strings.TrimSuffix(own, "/v1/")
	for _, e := range value[[]string](b, `performance.getEntriesByType("resource").map(e => e.name)`) {
		if !strings.HasPrefix(e, own+"/style.css") && !strings.HasPrefix(e, own+"/page.js") && !strings.HasPrefix(e, own+"/icon.svg") && !strings.HasPrefix(e, link+"?") {
			t.Errorf("the page fetched %s", e)
		}
	}
	if got := value[string](b, "getComputedStyle("+element(".skip")+").position"); got != "absolute" {
		t.Errorf("the style sheet was not used: %q", got)
	}
}

// On paper there are the record and the steps, and no buttons.
func TestOwnerPrinted(t *testing.T) {
	b, _, link := startOwner(t)
	b.open(link)
	b.until(shows("#in-charge", "Cloudflare"))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	page := b.text("body")
	if !strings.Contains(page, "_acme-challenge.shop") || !strings.Contains(page, "Open the DNS settings of example.com at Cloudflare") || strings.Contains(page, "Copy") {
		t.Errorf("printed:\n%s", page)
	}
}
