package ownerpage

import (
	"fmt"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Invitation is what to send to the owner of a domain.
type Invitation struct {
	Subject  string `json:"subject"`
	Text     string `json:"text"`     // plain text
	Markdown string `json:"markdown"` // the same, for chats
}

// Invitation returns the text that goes with a link, in a language.
func (t Texts) Invitation(language string, record zone.Record, domain, link string, expires time.Time) Invitation {
	domain = zone.Unicode(domain)
	ask := t.say(language, "mail-ask", "domain", domain)
	page := t.say(language, "mail-page", "date", t.date(language, expires))
	full, value, kind := t.say(language, "name"), t.say(language, "value"), t.say(language, "type")
	i := Invitation{Subject: t.say(language, "mail-subject", "domain", domain)}
	i.Text = fmt.Sprintf("%s\n\n%s: %s\n%s: %s\n%s: %s\n\n%s\n%s\n", ask, full, record.Name, kind, record.Type, value, record.Value, page, link)
	code := func(s string) string { return "`" + s + "`" } // no name has a backtick in it
	i.Markdown = fmt.Sprintf("%s\n\n| %s | %s | %s |\n|---|---|---|\n| %s | %s | %s |\n\n%s\n<%s>\n", escapeMarkdown(ask), full, kind, value,
		code(record.Name), code(record.Type), code(record.Value), escapeMarkdown(page), link)
	return i
}

// date is a day as a language writes it, in UTC.
func (t Texts) date(language string, at time.Time) string {
	return at.UTC().Format(t.say(language, "date"))
}

// escapeMarkdown keeps names, which can have _ in them, from being taken for markup.
func escapeMarkdown(s string) string {
	return strings.NewReplacer(`\`, `\\`, "_", `\_`, "*", `\*`, "<", `\<`, "[", `\[`, "`", "\\`").Replace(s)
}
