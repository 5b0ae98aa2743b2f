package browser

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/signpost-acme/signpost/internal/status"
)

// TestForecast: a record that was taken away is a certificate at risk, which the head of
// the page counts and leads to; the domain's page says until when, and what happened to
// its last challenges. When the record is back, both are gone without a reload.
func TestForecast(t *testing.T) {
	b, w, url := startFleet(t)
	const lost = 1740
	var well status.Domain
	w.set(func(s *status.Snapshot) {
		for i := range s.Domains { // their renewals are not to come after their expiries
			if c := &s.Domains[i].Certificates[0]; c.NotAfter != nil {
				renewal := time.Now().Add(time.Until(*c.NotAfter) / 2)
				c.RenewalTime = &renewal
			}
		}
		well = s.Domains[lost]
		d := &s.Domains[lost]
		d.Checks = append(d.Checks[:0:0], missing(*d))
		at := func(ms int) *time.Time {
			when := time.Now().Add(-time.Hour + time.Duration(ms)*time.Millisecond)
			return &when
		}
		d.History = []status.Past{{DNSName: "*." + d.Name, Created: *at(0), Presented: at(300), Decided: at(1900), Cleaned: at(2100), Gone: at(2200), State: "valid",
			Asked: status.Asked{Answered: 9, Networks: []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"}}}}
	})
	b.open(url)
	b.until(shows("#risk", "1 certificate is at risk: it expires on"))
	b.do(chromedp.Click(chromedp.CSS(`#risk a[href*="outlook=at-risk"]`)), chromedp.WaitVisible(chromedp.CSS("#domains .domain")))
	b.until(shows("#domains", "its renewal would not pass: cname-missing at shop-1740.example.net; it expires in "))
	b.open(url + "/domain/cert-manager/shop-1740.example.net")
	b.until(shows(".timeline", "asked for at least 9 times, from 3 networks"))
	b.until(shows(".timeline", "valid: the CA has validated it after 1.6 s"))
	b.screenshot("light-forecast")
	b.look(1100, 900, "dark")
	b.screenshot("dark-forecast")
	w.set(func(s *status.Snapshot) { s.Domains[lost] = well })
	b.until(shows("main", "its renewal would pass"))
	b.open(url)
	b.until(`document.querySelector("#risk") === null`)
}
