package browser

import (
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/web"
	"github.com/signpost-acme/signpost/internal/zone"
)

const waiting = `#domain-cert-manager-example\.org` // the domain without its record

// element and shows are JavaScript expressions.
func element(selector string) string {
	return "document.querySelector(" + strconv.Quote(selector) + ")"
}
func shows(selector, text string) string {
	return element(selector) + ".innerText.includes(" + strconv.Quote(text) + ")"
}

// start serves the page over a world, and opens a browser.
func start(t *testing.T) (*tab, *world, *httptest.Server) {
	t.Helper()
	w := newWorld(mustZone(t))
	server := httptest.NewServer(web.Handler(web.Config{Ready: func() error { return nil }, Snapshot: w.get, Zone: mustZone(t)}))
	t.Cleanup(server.Close)
	b := newTab(t)
	b.look(1100, 900, "light")
	return b, w, server
}

func mustZone(t *testing.T) *zone.Zone {
	t.Helper()
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestFromRecordToReady: the page follows a domain without a reload, and leaves alone
// what the reader does meanwhile.
func TestFromRecordToReady(t *testing.T) {
	b, w, server := start(t)
	b.open(server.URL)
	b.until(shows("h1", "1 of 3 domains waits for its record"))
	b.until(shows(waiting+" summary", "Add this record"))
	b.until(element(waiting) + ".open")
	b.until("!" + element(`#domain-cert-manager-example\.com`) + ".open")
	b.screenshot("light-add-record")

	// The reader opens a part and begins to type.
	b.do(chromedp.Click(chromedp.CSS("#server-records > summary")), chromedp.SendKeys(chromedp.CSS("#form-domain"), "*.exam"))
	b.until("(window.kept = " + element(waiting+" .record") + ").isConnected")

	w.set(func(s *status.Snapshot) {
		s.Domains[1].Checks = domain(mustZone(t), "example.org").Checks
		s.Domains[1].Challenges = []status.Challenge{{
			Namespace: "shop", Name: "example-org-1-2774838153-1", DNSName: "*.example.org", Since: time.Now().Add(-190 * time.Second),
			State: "pending", Presented: true, Asked: status.Asked{Answered: 4, Networks: []string{"192.0.2.0/24", "2001:db8:1::/48"}},
		}}
	})
	b.until(shows(waiting+" summary", "Being issued"))
	b.until(shows(waiting, "Asked for 4 times with an answer, from 192.0.2.0/24, 2001:db8:1::/48"))
	b.until(shows("h1", "1 of 3 domains is being issued"))
	b.screenshot("light-being-issued")

	w.set(func(s *status.Snapshot) { s.Domains[1] = domain(mustZone(t), "example.org") })
	b.until(shows(waiting+" summary", "Ready"))
	b.until(shows("h1", "Everything works"))
	b.until(`document.title === "Everything works · Signpost"`)
	b.until(element("#said") + `.textContent.includes("example.org: ✓ Ready")`) // for those who listen
	b.screenshot("light-ready")

	for what, is := range map[string]string{
		"the focus":              `document.activeElement.id === "form-domain"`,
		"what was typed":         element("#form-domain") + `.value === "*.exam"`,
		"the part that was open": element("#server-records") + ".open",
		"the record":             "window.kept.isConnected",
	} {
		if !value[bool](b, is) {
			t.Errorf("the update took away %s", what)
		}
	}
}

func TestSelectionStays(t *testing.T) {
	b, w, server := start(t)
	b.open(server.URL)
	b.until("(getSelection().selectAllChildren(" + element(waiting+" .record .copied code") + "), true)")
	w.set(func(s *status.Snapshot) { s.Store.OK, s.Store.Text = false, "connection refused" })
	b.until(shows("#tile-store", "Does not work"))
	if got := value[string](b, "getSelection().toString()"); got != "_acme-challenge.example.org" {
		t.Errorf("selected after the update: %q", got)
	}
}

func TestCopy(t *testing.T) {
	b, w, server := start(t)
	b.allowClipboard()
	b.open(server.URL)
	b.do(chromedp.Focus(chromedp.CSS(waiting+" .record > div:nth-child(3) .copy")), chromedp.KeyEvent(kb.Enter)) // as a keyboard does it
	b.until(element("#said") + `.textContent === "Copied"`)
	if got, want := value[string](b, "navigator.clipboard.readText()"), w.get().Domains[1].Record.Value; got != want {
		t.Errorf("clipboard: %q, want %q", got, want)
	}
}

// TestKeyboard: everything can be reached with the tabulator key, the content at
// once, and what has the focus is seen.
func TestKeyboard(t *testing.T) {
	b, _, server := start(t)
	b.open(server.URL)
	b.do(chromedp.KeyEvent(kb.Tab))
	b.until(`document.activeElement.matches(".skip") && document.activeElement.getBoundingClientRect().left >= 0`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`location.hash === "#main"`)
	reached := map[string]bool{}
	for range 60 {
		b.do(chromedp.KeyEvent(kb.Tab))
		reached[value[string](b, `document.activeElement.tagName + "." + document.activeElement.className`)] = true
		if !value[bool](b, `document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
			t.Errorf("the focus cannot be seen on %s", value[string](b, "document.activeElement.outerHTML"))
		}
	}
	for _, want := range []string{"A.", "SUMMARY.", "BUTTON.copy", "INPUT.", "BUTTON."} {
		if !reached[want] {
			t.Errorf("no %s was reached with the keyboard, only %v", want, reached)
		}
	}
}

func TestWithoutJavaScript(t *testing.T) {
	b, w, server := start(t)
	b.disableJavaScript()
	b.open(server.URL)
	page := b.text("body")
	for _, want := range []string{w.get().Domains[1].Record.Value, "_acme-challenge.example.org", "This page reloads every 10 seconds"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "Copy") {
		t.Error("a copy button that cannot work is shown")
	}
	b.do(chromedp.SendKeys(chromedp.CSS("#form-domain"), "*.bücher.example"+kb.Enter), chromedp.WaitVisible(chromedp.CSS("#add .record")))
	page = b.text("#add")
	for _, want := range []string{"bücher.example", "_acme-challenge.xn--bcher-kva.example", w.get().Domains[2].Record.Value, "kind: Certificate", "name: letsencrypt"} {
		if !strings.Contains(page, want) {
			t.Errorf("the form does not answer with %q:\n%s", want, page)
		}
	}
}

func TestPhone(t *testing.T) {
	b, w, server := start(t)
	few := w.get().Domains
	long := domain(mustZone(t), strings.Repeat("averylonglabelwithoutanyroomtobreakitintotwopieces.", 3)+"example")
	long.Checks = []check.Finding{missing(long)}
	for _, scheme := range []string{"light", "dark"} {
		w.set(func(s *status.Snapshot) { s.Domains = slices.Concat(few[:3], []status.Domain{long}) })
		b.look(360, 740, scheme)
		for _, query := range []string{"", "?domain=*." + long.Name, "?domain=https://example.com/"} {
			b.open(server.URL + "/" + query)
			b.until(`(document.querySelectorAll("details").forEach(e => e.open = true), true)`)
			if wide := value[int](b, "document.documentElement.scrollWidth"); wide > 360 {
				t.Errorf("%s %q: %d pixels wide on a screen of 360", scheme, query, wide)
			}
		}
		w.set(func(s *status.Snapshot) { s.Domains = few })
		b.open(server.URL)
		b.screenshot(scheme + "-phone")
		b.look(1100, 900, scheme)
		b.screenshot(scheme + "-desktop")
		b.open(server.URL + "/?domain=*.bücher.example&namespace=team-a")
		b.screenshot(scheme + "-form")
	}
}

func TestOutOfDate(t *testing.T) {
	b, _, server := start(t)
	b.open(server.URL)
	server.CloseClientConnections()
	server.Close()
	b.until(shows("#stale", "This page is out of date since"))
	b.screenshot("light-out-of-date")
}

// TestNothingElse: the page's own policy lets the browser fetch all that it
// needs, and nothing is refused.
func TestNothingElse(t *testing.T) {
	b, _, server := start(t)
	b.open(server.URL)
	b.until(`performance.getEntriesByType("resource").some(e => e.name.endsWith("/?fragment") && e.responseStatus === 200)`)
	for _, e := range value[[]string](b, `performance.getEntriesByType("resource").map(e => e.responseStatus + " " + e.name)`) {
		if e = strings.Replace(e, "304 ", "200 ", 1); !strings.HasPrefix(e, "200 "+server.URL+"/") {
			t.Errorf("the page fetched %s", e)
		}
	}
	if got := value[string](b, "getComputedStyle("+element(".skip")+").position"); got != "absolute" {
		t.Errorf("the style sheet was not used: %q", got)
	}
}
