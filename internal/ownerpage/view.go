package ownerpage

import (
	"cmp"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/invite"
	"github.com/signpost-acme/signpost/internal/provider"
	"github.com/signpost-acme/signpost/internal/zone"
)

// maxNamed is how many nameservers a sentence names.
const maxNamed = 4

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

	Allows     string
	CAA        zone.Record // that binds the domain to the CA and account; empty if those are not known
	CAALead    string
	Contact    template.HTML
	Company    string
	Invitation Invitation
	PassOnLead string
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

// where says where the record has to be added, and how.
func (v *view) where(target zone.Target, sight check.Sight) {
	apex := cmp.Or(sight.Apex, zone.Registered(target.Domain))
	record := target.Record()
	v.Type, v.Full = record.Type, record.Name
	found := provider.Recognise(sight.Nameservers)
	shown, servers := zone.Unicode(apex), named(sight.Nameservers)
	switch len(found) {
	case 0:
		v.Where, v.RecordFor = v.say("where-nobody", "apex", shown), v.say("record-lead-general")
		if servers != "" {
			v.Where = v.say("where-unknown", "apex", shown, "servers", servers)
		}
		v.Entry = (*provider.Provider)(nil).Entry(record, apex)
		v.Providers = []providerView{{Steps: stepTexts(provider.Steps(v.Language, nil, record, apex), "")}}
	case 1:
		v.Where = v.say("where-provider", "apex", shown, "provider", found[0].Name, "servers", servers)
		v.RecordFor = v.say("record-lead", "provider", found[0].Name)
		v.Entry = found[0].Entry(record, apex)
	default:
		v.Where = v.say("where-several", "apex", shown, "provider", provider.Names(v.Language, found))
		v.RecordFor = v.say("record-lead-general")
		v.Entry = (*provider.Provider)(nil).Entry(record, apex)
	}
	for i := range found {
		v.Providers = append(v.Providers, providerView{v.say("steps-at", "provider", found[i].Name), stepTexts(provider.Steps(v.Language, &found[i], record, apex), found[i].Docs)})
	}
	v.Entry.NameField, v.Entry.ValueField = cmp.Or(v.Entry.NameField, v.say("name")), cmp.Or(v.Entry.ValueField, v.say("value"))
	if v.Entry.Name != v.Full && (len(found) != 1 || found[0].Typed != provider.Relative) {
		v.FullNote = v.say("full-note", "full", v.Full, "apex", shown)
	}
}

func named(nameservers []string) string {
	list := slices.Clone(nameservers[:min(len(nameservers), maxNamed)])
	if len(nameservers) > maxNamed {
		list = append(list, "…")
	}
	return strings.Join(list, ", ")
}

func stepTexts(steps []string, docs string) (out []stepText) {
	for _, s := range steps {
		if before, ok := strings.CutSuffix(s, docs); ok && docs != "" {
			out = append(out, stepText{before, docs})
			continue
		}
		out = append(out, stepText{Text: s})
	}
	return out
}

// judge says how things stand.
func (v *view) judge(now time.Time, target zone.Target, sight check.Sight, known bool, c Certificates, date func(time.Time) string) {
	valid := c.Expires.After(now)
	until := ""
	if valid {
		until = date(c.Expires)
	}
	record := step{Title: v.say("step-record"), Text: v.say("record-open"), State: Missing}
	certificate := step{Title: v.say("step-certificate"), Text: v.say("certificate-open"), State: Open}
	renewal := step{Title: v.say("step-renewal"), Text: v.say("renewal-open"), State: Open}
	if valid {
		certificate.Text, certificate.State = v.say("certificate-done", "date", until), Done
	}
	right := sight.Status == check.OK || sight.Status == check.Warning
	switch {
	case !known:
		v.State, v.Headline = Now, v.say("now-looking")
		record.Text, record.State = v.say("record-looking", "domain", v.Domain), Now
	case right:
		record.Text, record.State = v.say("record-done", "domain", v.Domain), Done
		v.State, v.Headline = Done, v.say("now-right")
		switch {
		case valid && c.Issuance == Issued:
			v.Headline = v.say("now-issued", "date", until)
			renewal.Text, renewal.State = v.say("renewal-done"), Done
		case c.Issuance == Trouble:
			v.Headline = v.say("now-trouble")
			certificate.Text, certificate.State = v.say("certificate-trouble"), Missing
		case c.Issuance == UnderWay:
			v.State, v.Headline = Now, v.say("now-issuing")
			certificate.Text, certificate.State = v.say("certificate-now"), Now
		case !valid:
			certificate.Text = v.say("certificate-none")
		}
	default:
		v.Sentence = v.sentence(target, sight)
		v.State, v.Headline = Wrong, v.say("now-wrong")
		switch {
		case sight.Status == check.Unknown:
			v.State, v.Headline, record.State = Open, v.say("now-unknown"), Open
		case sight.Check == "cname-missing":
			v.State, v.Headline = Missing, v.say("now-missing")
		default:
			record.Text, record.State = v.say("record-wrong"), Wrong
		}
		if sight.Status != check.Unknown && valid {
			v.State, v.Headline = Wrong, v.say("now-not-renewing", "date", until)
			renewal.Text, renewal.State = v.say("renewal-wrong"), Wrong
		}
	}
	v.Steps = []step{record, certificate, renewal}
	for i := range v.Steps {
		v.Steps[i].Mark = v.say(map[State]string{Done: "mark-done", Now: "mark-now", Open: "mark-open", Missing: "mark-open", Wrong: "mark-wrong"}[v.Steps[i].State])
	}
}

// sentence says what is wrong and what to do, in one sentence or two.
func (v *view) sentence(target zone.Target, sight check.Sight) string {
	key := "finding-" + sight.Check
	if !slices.Contains(check.OwnersFindings(), sight.Check) {
		key = "finding-other"
	}
	apex := cmp.Or(sight.Apex, zone.Registered(target.Domain))
	return v.say(key, "challenge", target.Challenge, "domain", v.Domain, "apex", zone.Unicode(apex), "name", v.Entry.Name, "value", v.Entry.Value,
		"servers", cmp.Or(named(sight.Nameservers), "…"), "detail", cmp.Or(sight.Detail(), "…"))
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
