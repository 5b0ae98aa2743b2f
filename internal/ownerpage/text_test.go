package ownerpage

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/text"
	"github.com/signpost-acme/signpost/internal/zone"
)

// Each language has the same sentences, with the same placeholders; each finding about
// an owner's record has one.
func TestTexts(t *testing.T) {
	texts := Known()
	if !texts.Has(English) || !texts.Has("de") {
		t.Fatal("English or German is missing")
	}
	for language, sentences := range texts {
		if !slices.Equal(slices.Sorted(maps.Keys(sentences)), slices.Sorted(maps.Keys(texts[English]))) {
			t.Errorf("%s has other sentences than English", language)
		}
		for key, s := range sentences {
			if s == "" || !slices.Equal(text.Placeholders(s), text.Placeholders(texts[English][key])) {
				t.Errorf("%s, %s: %q has other placeholders than English", language, key, s)
			}
		}
	}
	for _, id := range check.OwnersFindings() {
		if texts[English]["finding-"+id] == "" {
			t.Errorf("there is no sentence for %s", id)
		}
	}
	for key := range texts[English] {
		if id, ok := strings.CutPrefix(key, "finding-"); ok && id != "other" && !slices.Contains(check.OwnersFindings(), id) {
			t.Errorf("%s is for no finding", key)
		}
	}
}

// The German page has not a word of English.
func TestGerman(t *testing.T) {
	w := newWorld(t)
	s := found("cname-name-doubled", check.Failed, "the CNAME, but at _acme-challenge.shop.example.com.example.com")
	page := w.sees(s, Certificates{}, "?language=de")
	has(t, "German", page, `<html lang="de" dir="ltr">`, "Example Hosting Ltd bittet Sie um einen DNS-Eintrag", "Die Domain wurde doppelt angehängt",
		"Tragen Sie _acme-challenge.shop in das Feld „Name“ ein", `<a href="/records`+w.first+`?language=en" lang="en" hreflang="en">English</a>`)
	for _, word := range []string{" the ", "record ", "Copy", " is "} {
		if strings.Contains(page, word) {
			t.Errorf("the German page has %q:\n%s", word, page)
		}
	}
}

func TestChooseLanguage(t *testing.T) {
	texts := Known()
	for _, tc := range []struct{ asked, accept, want string }{
		{"", "", "en"}, {"de", "", "de"}, {"de", "en", "de"}, {"xx", "de", "de"}, {"", "de-AT,de;q=0.9,en;q=0.8", "de"},
		{"", "fr,DE;q=0.5", "de"}, {"", "fr;q=0.9, *", "en"}, {"../de", "", "en"}, {"", strings.Repeat("xx,", 20) + "de", "en"}, {"", strings.Repeat("-", 5000), "en"},
	} {
		if got := texts.choose(tc.asked, tc.accept); got != tc.want {
			t.Errorf("%q, %.40q: %s, want %s", tc.asked, tc.accept, got, tc.want)
		}
	}
}

// Another language is a file; what it leaves out stays English.
func TestReadTexts(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pt-BR.yaml", "language: Português\nnow-missing: Ainda não há registro\nprovider-save: Salve.\n")
	write("de.yaml", "request: 'Hallo {domain}, hier ist {company}'\n")
	w := newWorld(t)
	if err := w.page.Texts.Read(dir); err != nil {
		t.Fatal(err)
	}
	if err := w.page.prepareRefusals(); err != nil {
		t.Fatal(err)
	}
	page := w.sees(found("cname-missing", check.Failed, "nothing"), Certificates{}, "?language=pt-BR")
	has(t, "Portuguese", page, "Ainda não há registro", "Salve.", "What the record does", `lang="pt-BR"`)
	has(t, "German", w.get(w.first+"?language=de").Body.String(), "Hallo shop.example.com, hier ist Example Hosting Ltd", "Was der Eintrag bewirkt")
	for name, text := range map[string]string{
		"nothing.yaml": "a: b", "fr.yaml": "now-misssing: x", "es.yaml": "request: without", "it.yaml": "provider-open: x", "nl.yaml": "language: [1]",
	} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.Mkdir(bad, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bad, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Known().Read(bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInvitation(t *testing.T) {
	w := newWorld(t)
	target, err := w.zone.Target(testScope, "xn--bcher-kva.example")
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	i := Known().Invitation("de", target.Record(), target.Domain, "https://certs.example.net/x", end)
	has(t, "subject", i.Subject, "Ein DNS-Eintrag für bücher.example")
	has(t, "text", i.Text, "Name: _acme-challenge.xn--bcher-kva.example\nTyp: CNAME\nWert: "+target.Name+"\n", "(der Link gilt bis 01.03.2027):\nhttps://certs.example.net/x\n")
	has(t, "Markdown", i.Markdown, "| `_acme-challenge.xn--bcher-kva.example` | `CNAME` | `"+target.Name+"` |", "<https://certs.example.net/x>")
	if got := escapeMarkdown("a_b*[c](d)`<e>"); got != `a\_b\*\[c](d)`+"\\`"+`\<e>` {
		t.Error(got)
	}
}

// docs/owner-page.md shows what invite prints.
func TestInvitationInTheDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/owner-page.md")
	if err != nil {
		t.Fatal(err)
	}
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	target, err := z.Target("cert-manager", "example.com")
	if err != nil {
		t.Fatal(err)
	}
	end := time.Unix(1798243200, 0)
	i := Known().Invitation(English, target.Record(), target.Domain, "https://certs.example.com/v1/key-1/1798243200/cert-manager/example.com/…", end)
	has(t, "docs/owner-page.md", string(b), "$ signpost invite example.com\n"+i.Subject+"\n\n"+i.Text)
}
