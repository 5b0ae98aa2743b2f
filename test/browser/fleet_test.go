package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/signpost-acme/signpost/internal/status"
)

// fleetSize is how many domains the tests of the list have.
const fleetSize = 2000

// startFleet serves the page over many domains: of every hundred, four have no record.
func startFleet(t *testing.T) (*tab, *world, string) {
	t.Helper()
	b, w, server := start(t)
	z := mustZone(t)
	w.set(func(s *status.Snapshot) {
		s.Domains = nil
		for i := range fleetSize {
			d := domain(z, fmt.Sprintf("shop-%04d.example.net", i))
			c := &d.Certificates[0]
			c.Namespace, c.Name = fmt.Sprintf("customer-%02d", i%40), fmt.Sprintf("shop-%04d", i)
			expiry := time.Now().Add(time.Duration(i%89)*24*time.Hour + 12*time.Hour)
			renewal := expiry.Add(24 * time.Hour)
			c.NotAfter, c.RenewalTime = &expiry, &renewal
			if i%25 == 3 {
				d.Checks = append(d.Checks[:0:0], missing(d))
				c.Ready, c.NotAfter, c.RenewalTime = false, nil, nil
			}
			s.Domains = append(s.Domains, d)
		}
	})
	return b, w, server.URL
}

// rows are the names of the domains that the list shows.
func rows(b *tab) []string {
	b.t.Helper()
	return value[[]string](b, `[...document.querySelectorAll(".rows li > a")].map(e => e.textContent)`)
}

// TestFleet: a reader finds one of two thousand domains by state, search and page, and
// sees it change without a reload; the addresses can be kept.
func TestFleet(t *testing.T) {
	b, w, url := startFleet(t)
	b.open(url)
	b.until(shows("h1", "80 of 2,000 domains wait for their record"))
	if got := rows(b); len(got) != 30 || got[0] != "shop-0003.example.net" {
		t.Errorf("the first page: %v", got)
	}
	b.screenshot("light-fleet")

	// By state, then to the next page, with the keyboard.
	b.do(chromedp.Click(chromedp.CSS(`.states a[href*="state=failed"]`)))
	b.do(chromedp.WaitVisible(chromedp.CSS(`.states a[href*="state=failed"][aria-current]`)))
	b.until(shows("#shown", "1–30 of 80 domains of 2,000"))
	b.do(chromedp.Focus(chromedp.CSS(`.pages a[rel=next]`)), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(`.pages a[rel=prev]`)))
	b.until(shows(".pages", "Page 2 of 3"))
	b.until(`location.search === "?state=failed&page=2"`)
	if got := rows(b); len(got) != 30 || got[0] != "shop-0753.example.net" {
		t.Errorf("the second page: %v", got)
	}
	b.open(url + "/?state=failed&page=2") // as it was kept
	if got := rows(b); len(got) != 30 || got[0] != "shop-0753.example.net" {
		t.Errorf("the second page again: %v", got)
	}

	// By name.
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "shop-17"+kb.Enter), chromedp.WaitNotPresent(chromedp.CSS(`.pages`)))
	b.until(shows("#shown", "4 domains of 2,000"))
	b.until(shows("#domains", "shop-1703.example.net"))
	b.open(url + "/?q=shop-17&sort=name")
	b.until(shows("#shown", "1–30 of 100 domains of 2,000"))

	// What is typed stays while one row changes, and only that row is sent.
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "x"))
	b.until(`(window.kept = ` + element(".rows li") + `).isConnected`)
	row := `[...document.querySelectorAll(".rows li")].find(e => e.textContent.includes("shop-1703.")).textContent`
	b.until(row + `.includes("Add this record")`)
	w.set(func(s *status.Snapshot) {
		s.Domains[1703] = domain(mustZone(t), "shop-1703.example.net")
		s.Domains[1703].Certificates[0].Namespace = "customer-23"
	})
	b.until(row + `.includes("Ready")`)
	b.until(shows("h1", "79 of 2,000 domains wait for their record"))
	b.until(element("#said") + `.textContent.includes("shop-1703.example.net: ✓ Ready")`)
	if got := value[string](b, `window.kept.isConnected + " " + document.querySelector("#q").value`); got != "true xshop-17" && got != "true shop-17x" {
		t.Errorf("the update took away what was typed, or a row that had not changed: %s", got)
	}
	largest := value[int](b, `Math.max(...performance.getEntriesByType("resource").filter(e => e.name.endsWith("&fragment")).map(e => e.decodedBodySize))`)
	if largest > 9000 {
		t.Errorf("a live update of one row had %d bytes", largest)
	}

	// One domain by itself.
	b.open(url + "/domain/cert-manager/shop-1728.example.net")
	b.until(shows("h1", "shop-1728.example.net"))
	b.until(shows("main", "Add this record"))
	b.screenshot("light-domain")
	w.set(func(s *status.Snapshot) { s.Domains[1728] = domain(mustZone(t), "shop-1728.example.net") })
	b.until(shows("#state", "Ready"))
	b.until(`document.title === "shop-1728.example.net: Ready · Signpost"`)
	b.do(chromedp.Click(chromedp.CSS("#overview a")), chromedp.WaitVisible(chromedp.CSS(".rows")))
	b.until(shows("h1", "78 of 2,000 domains wait for their record"))
}

// TestFleetWithoutJavaScript: the same list by links and a form alone.
func TestFleetWithoutJavaScript(t *testing.T) {
	b, _, url := startFleet(t)
	b.disableJavaScript()
	b.open(url)
	b.do(chromedp.Click(chromedp.CSS(`.states a[href*="state=failed"]`)), chromedp.WaitVisible(chromedp.CSS(`.pages a[rel=next]`)))
	b.do(chromedp.Click(chromedp.CSS(`.pages a[rel=next]`)), chromedp.WaitVisible(chromedp.CSS(`.pages a[rel=prev]`)))
	if text := b.text("#domains"); !strings.Contains(text, "Page 2 of 3") || !strings.Contains(text, "shop-0753.example.net") {
		t.Errorf("the second page:\n%s", text)
	}
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "shop-1703"+kb.Enter), chromedp.WaitVisible(chromedp.CSS("#domains .record")))
	if text := b.text("#domains"); !strings.Contains(text, "1 domain of 2,000") || !strings.Contains(text, "_acme-challenge.shop-1703.example.net") {
		t.Errorf("the search:\n%s", text)
	}
	b.open(url + "/?page=9999")
	if text := b.text("main"); !strings.Contains(text, "There is no page 9999") {
		t.Errorf("a page that does not exist:\n%s", text)
	}
}

// TestFleetPhone: nothing is wider than a small screen.
func TestFleetPhone(t *testing.T) {
	b, _, url := startFleet(t)
	for _, scheme := range []string{"light", "dark"} {
		b.look(360, 740, scheme)
		for _, path := range []string{"/", "/?state=failed&page=2", "/?q=nothing-like-this", "/domain/cert-manager/shop-0003.example.net", "/?page=9999"} {
			b.open(url + path)
			if wide := value[int](b, "document.documentElement.scrollWidth"); wide > 360 {
				t.Errorf("%s %s: %d pixels wide on a screen of 360", scheme, path, wide)
			}
		}
		b.open(url)
		b.screenshot(scheme + "-fleet-phone")
		b.open(url + "/domain/cert-manager/shop-0003.example.net")
		b.screenshot(scheme + "-domain-phone")
		b.look(1100, 900, scheme)
		b.open(url)
		b.screenshot(scheme + "-fleet-desktop")
	}
}
