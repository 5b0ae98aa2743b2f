package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/chrome"
	"github.com/signpost-acme/signpost/test/world"
)

// invited is what signpost invite -o json prints.
type invited struct {
	Link   string
	Scope  string
	Record struct{ Name, Value string }
}

func inviteOwner(t *testing.T, args ...string) (i invited) {
	t.Helper()
	s := command(t, w.Kubeconfig, append([]string{"invite", "-o", "json"}, args...)...)
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, s)
	}
	if err := json.Unmarshal([]byte(s.String()), &i); err != nil {
		t.Fatalf("%v:\n%s", err, s)
	}
	return i
}

// Somebody who has never seen Kubernetes adds the record with the page alone: the link
// is opened, the record is added wrongly in six ways, each of which the page names
// within seconds, and then right. Within 10 s of the right record being served the
// page says that the certificate is issued.
func TestOwnerAddsTheRecord(t *testing.T) {
	const domain = "owner.example.com"
	createIssuer(t, world.IssuerOptions{Name: "owner-page"})
	i := inviteOwner(t, domain, "--issuer", "ClusterIssuer/owner-page", "--namespace", "owner")
	createCertificate(t, "owner", "owner", "ClusterIssuer", "owner-page", "*."+domain, domain)

	browser, stop, err := chrome.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	tab, cancel := chromedp.NewContext(browser)
	defer cancel()
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	tab, cancel = context.WithTimeout(tab, 4*time.Minute)
	defer cancel()
	if err := chromedp.Do(tab, chromedp.EmulateViewport(1100, 900), chromedp.Navigate(i.Link)); err != nil {
		t.Fatal(err)
	}
	shows := func(what string, within time.Duration, texts ...string) time.Duration {
		t.Helper()
		begin := time.Now()
		poll.Until(t, within, what, func() error {
			page, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.querySelector("main").innerText`))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range texts {
				if !strings.Contains(page, want) {
					return fmt.Errorf("the page does not show %q:\n%s", want, page)
				}
			}
			return nil
		})
		return time.Since(begin)
	}
	picture := func(name string) {
		t.Helper()
		png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join("..", "..", ".cache", "screenshots")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	shows("nothing", 15*time.Second, "Example Hosting Ltd asks you to add one DNS record for "+domain, "The record is not there yet",
		"nameservers in charge of example.com are ns.example.com", "_acme-challenge.owner", i.Record.Value)
	for _, wrong := range []struct{ what, records, want string }{
		{"appended twice", "_acme-challenge.owner.example.com.example.com. CNAME $T.", "The domain was appended twice: the record is at _acme-challenge.owner.example.com.example.com"},
		{"misspelt", "_acme_challenge.owner.example.com. CNAME $T.", "misspelt: it is at _acme_challenge.owner.example.com"},
		{"TXT", "_acme-challenge.owner.example.com. TXT \"$T\"", "There is a TXT record at _acme-challenge.owner.example.com"},
		{"proxied", "_acme-challenge.owner.example.com. A 192.0.2.80", "it is proxied, or of type A"},
		{"elsewhere", "_acme-challenge.owner.example.com. CNAME shop.example-two.com.", "it leads to shop.example-two.com"},
		{"value appended", "_acme-challenge.owner.example.com. CNAME $T.example.com.", "The domain was appended to the value"},
	} {
		if err := w.Parent.Set(t.Context(), "example.com", domain, strings.ReplaceAll(wrong.records, "$T", i.Record.Value)); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: named after %v", wrong.what, shows(wrong.what, 20*time.Second, wrong.want).Round(100*time.Millisecond))
	}
	picture("e2e-owner-wrong")

	setCNAME(t, "example.com", domain, i.Scope)
	served := time.Now()
	shows("right", 10*time.Second, "It is right, at all DNS servers of "+domain)
	t.Logf("seen to be right after %v", time.Since(served).Round(100*time.Millisecond))
	shows("issued", time.Until(served.Add(10*time.Second)), "Done: the certificate is issued, and valid until", "Leave the record where it is")
	t.Logf("issued after %v", time.Since(served).Round(100*time.Millisecond))
	waitReady(t, "owner", "owner", "*."+domain, domain)
	found, err := chrome.Axe(tab)
	if err != nil || len(found) > 0 {
		t.Errorf("axe-core: %q, %v", found, err)
	}
	picture("e2e-owner-issued")
	leavesNothingOf(t, i.Scope, domain)
}

// Ten thousand requests for the page from one client, with a link that is valid and
// with forged ones, leave the DNS, the webhook and others' pages as they are.
func TestOwnerPageUnderFlood(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "flood-owner"})
	link := inviteOwner(t, "flood-owner.example.com", "--issuer", "ClusterIssuer/flood-owner", "--namespace", "owner").Link
	other := inviteOwner(t, "other-owner.example.com", "--issuer", "ClusterIssuer/flood-owner", "--namespace", "owner").Link
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32, MaxConnsPerHost: 32}}
	get := func(url string) int {
		resp, err := client.Get(url)
		if err != nil {
			return 0
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	var pages, refused, busy, errs atomic.Int64 // answers, by what they are
	for n := range 32 {
		flood.Go(func() {
			for ctx.Err() == nil {
				switch code := get([]string{link, link[:len(link)-1] + "x"}[n%2]); code {
				case http.StatusOK:
					pages.Add(1)
				case http.StatusNotFound:
					refused.Add(1)
				case http.StatusTooManyRequests:
					busy.Add(1)
				default:
					errs.Add(1)
				}
			}
		})
	}
	var worst time.Duration
	asked := 0
	answered := func() int64 { return pages.Load() + refused.Load() + busy.Load() }
	for asked < 200 || answered() < 10_000 && asked < 20_000 {
		m := new(dns.Msg).SetQuestion(world.Zone+".", dns.TypeSOA)
		begin := time.Now()
		if got, _, err := (&dns.Client{Timeout: 2 * time.Second}).ExchangeContext(t.Context(), m, world.ReplicaAddress(0)+":53"); err != nil || len(got.Answer) == 0 {
			t.Errorf("the DNS does not answer: %v", err)
		}
		worst = max(worst, time.Since(begin))
		asked++
		time.Sleep(5 * time.Millisecond)
	}
	// The webhook, and who has another link, meanwhile.
	createCertificate(t, "owner", "flood-owner", "ClusterIssuer", "flood-owner", "*.flooded.example.com")
	setCNAME(t, "example.com", "flooded.example.com", world.CertManagerNamespace)
	waitReady(t, "owner", "flood-owner", "*.flooded.example.com")
	if code := get(other); code != http.StatusOK {
		t.Errorf("another link: %d", code)
	}
	stop()
	flood.Wait()
	t.Logf("%d requests: %d pages, %d refused, %d too many, %d without an answer; %d DNS questions, the slowest after %v",
		answered()+errs.Load(), pages.Load(), refused.Load(), busy.Load(), errs.Load(), asked, worst.Round(time.Millisecond))
	if answered() < 10_000 || errs.Load() > answered()/10 || busy.Load() == 0 || refused.Load() < 1000 {
		t.Error("that was no flood")
	}
}
