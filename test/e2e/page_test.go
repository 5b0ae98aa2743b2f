package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/chrome"
	"github.com/signpost-acme/signpost/test/world"
)

// A person watches the status page: a domain goes from "add this record" to
// Ready while its owner adds the record, and nobody reloads the page.
func TestPageFromRecordToReady(t *testing.T) {
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
	tab, cancel = context.WithTimeout(tab, 2*time.Minute)
	defer cancel()
	if err := chromedp.Do(tab, chromedp.EmulateViewport(1100, 900), chromedp.Navigate("http://"+world.ReplicaAddress(0)+":8080/?q=page.example.com")); err != nil {
		t.Fatal(err)
	}
	// part returns the text of the part of the page that is about the domain.
	part := func() (text string) {
		const script = `[...document.querySelectorAll("details.domain")].filter(e => e.textContent.includes("_acme-challenge.page.example.com")).map(e => e.textContent).join()`
		text, err := chromedp.Run(tab, chromedp.Evaluate[string](script))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	shows := func(what string, texts ...string) {
		t.Helper()
		poll.Until(t, 45*time.Second, what, func() error {
			text := part()
			for _, want := range texts {
				if !strings.Contains(text, want) {
					return fmt.Errorf("the page does not show %q:\n%s", want, text)
				}
			}
			return nil
		})
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

	createIssuer(t, world.IssuerOptions{Name: "page"})
	target, err := world.Target("cert-manager", "page.example.com")
	if err != nil {
		t.Fatal(err)
	}
	createCertificate(t, "page", "page", "ClusterIssuer", "page", "*.page.example.com")
	shows("without the record", "page.example.com", "Add this record", target)
	picture("e2e-add-record")
	setCNAME(t, "example.com", "page.example.com", "cert-manager")
	waitReady(t, "page", "page", "*.page.example.com")
	poll.Until(t, 30*time.Second, "the page no longer asks for the record", func() error {
		if text := part(); strings.Contains(text, "Add this record") {
			return errors.New(text)
		}
		return nil
	})
	shows("with the record", "page.example.com", "Ready")
	picture("e2e-ready")
	leavesNothing(t)
}
