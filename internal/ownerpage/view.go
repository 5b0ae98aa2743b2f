package ownerpage

import (
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/invite"
	"github.com/signpost-acme/signpost/internal/provider"
	"github.com/signpost-acme/signpost/internal/zone"
)

// State is how a part of the page fares; its colour and sign.
type State string

// The states, of which Open is yet to come.
const (
	Done    State = "ok"
	Now     State = "pending"
	Open    State = "unknown"
	Missing State = "warning"
	Wrong   State = "failed"
)

// Icon tells the states apart without colour.
func (s State) Icon() string {
	return map[State]string{Done: "✓", Now: "…", Open: "○", Missing: "!", Wrong: "✕"}[s]
}

// view is what a page says.
type view struct {
	say      func(key string, pairs ...string) string
	Language string
	Base     string // path of the page's files
	Path     string // of this page
	Others   []otherLanguage

	Domain, ASCII string // ASCII where it differs
	Title         string
	Request       string
	State         State
	Headline      string
	Sentence      string // what is wrong, in one sentence; empty if nothing is
	Steps         []step

	Where     string // which company's nameservers are in charge
	Providers []providerView
	Entry     provider.Entry // the record as the one form wants it
	Type      string
	Full      string // the record's whole name
	RecordFor string // the sentence above the record
	FullNote  string

	Allows  string
	CAA     zone.Record // that binds the domain to the CA and account; empty if those are not known
	CAALead string

	Persist     zone.Record // of dns-persist-01, a preview that nothing here depends on; with the CAA record
	PersistLead string
	Contact     template.HTML
	Company     string
	Invitation  Invitation
	PassOnLead  string
}

type otherLanguage struct{ Tag, Name string }

type step struct {
	Title, Text, Mark string
	State             State
}

type providerView struct {
	Name  string
	Steps []stepText
}

// stepText is a step, with a link behind it if it ends in one.
type stepText struct{ Text, Link string }

// Say is say for templates.
func (v *view) Say(key string) string { return v.say(key) }

// newView derives a page from what is known. Nothing in it is from anywhere else than
// from its arguments and the configuration.
func (p *Page) newView(language string, l invite.Link, path string, sight check.Sight, known bool, certificates Certificates) (*view, error) {
	target, err := p.Zone.Target(l.Scope, l.Domain)
	if err != nil {
		return nil, err
	}
	say := func(key string, pairs ...string) string { return p.Texts.say(language, key, pairs...) }
	v := &view{say: say, Language: language, Base: p.base, Path: p.base + path, Domain: zone.Unicode(l.Domain), Company: p.Company}
	if v.Domain != l.Domain {
		v.ASCII = l.Domain
	}
	for _, tag := range p.Texts.Languages() {
		if tag != language {
			v.Others = append(v.Others, otherLanguage{tag, p.Texts.say(tag, "language")})
		}
	}
	v.Request, v.Allows = say("request-nobody", "domain", v.Domain), say("does-allow-nobody", "domain", v.Domain)
	if p.Company != "" {
		v.Request = say("request", "domain", v.Domain, "company", p.Company)
		v.Allows = say("does-allow", "domain", v.Domain, "company", p.Company)
	}
	if certificates.CA != "" && certificates.Account != "" {
		// Without validationmethods: the same account may have names below by HTTP-01.
		v.CAA = target.CAA(zone.Binding{CA: certificates.CA, Account: certificates.Account})
		v.CAALead = say("caa-lead", "ca", certificates.CA, "domain", v.Domain)
		v.Persist = target.Persist(zone.Persist{CA: certificates.CA, Account: certificates.Account, Wildcard: true})
		v.PersistLead = say("persist-lead", "ca", certificates.CA, "domain", v.Domain)
	}
	v.Contact = contact(say("contact"), p.Contact)
	v.PassOnLead = say("pass-on-lead", "date", p.Texts.date(language, l.Expires))
	link := strings.TrimSuffix(p.URL.String(), "/") + path
	v.Invitation = p.Texts.Invitation(language, target.Record(), l.Domain, link, l.Expires)
	v.where(target, sight)
	v.judge(p.now(), target, sight, known, certificates, func(t time.Time) string { return p.Texts.date(language, t) })
	v.Title = v.State.Icon() + " " + say("title", "domain", v.Domain)
	return v, nil
}

// contact puts a link to who asks into a sentence.
func contact(sentence, text string) template.HTML {
	if text == "" {
		return ""
	}
	shown := template.HTMLEscapeString(text)
	u, err := url.Parse(text)
	switch {
	case err == nil && u.Scheme == "https" && u.Host != "":
		shown = `<a href="` + template.HTMLEscapeString(u.String()) + `" rel="noreferrer">` + shown + "</a>"
	case strings.Count(text, "@") == 1 && !strings.ContainsAny(text, " \t\r\n<>?&\"'/:"):
		shown = `<a href="mailto:` + shown + `">` + shown + "</a>"
	}
	before, after, _ := strings.Cut(sentence, "{contact}")
	return template.HTML(template.HTMLEscapeString(before) + shown + template.HTMLEscapeString(after)) //nolint:gosec // escaped here
}
