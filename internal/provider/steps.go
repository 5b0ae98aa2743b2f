package provider

import (
	"strings"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Entry is a record as a form wants it. A field's label is empty if it is not known.
type Entry struct {
	NameField, Name   string
	ValueField, Value string
}

// Entry returns the record as the provider's form wants it. apex is the zone that the
// provider serves and that the record is in; "" takes the domain that was registered.
// Where it is not known what the form wants, the name is the one in front of the apex,
// as most do. A nil Provider is one that is not known.
func (p *Provider) Entry(r zone.Record, apex string) Entry {
	if apex == "" {
		apex = zone.Registered(r.Name)
	}
	e := Entry{Name: strings.TrimSuffix(r.Name, "."+apex), Value: r.Value}
	if p == nil {
		return e
	}
	e.NameField, e.ValueField = p.Form.Name, p.Form.Value
	if p.Typed == Full {
		e.Name = r.Name
	}
	if p.Dot && r.Type == "CNAME" {
		e.Value += "."
	}
	return e
}

// Steps says how the CNAME is added at the provider, one sentence a step, for the
// provider nil in general. apex is as in Entry. The sentences are plain text.
func Steps(language string, p *Provider, r zone.Record, apex string) (out []string) {
	if apex == "" {
		apex = zone.Registered(r.Name)
	}
	e, name := p.Entry(r, apex), ""
	open, nameStep, valueStep := "open-general", "name-general", "value-general"
	if p != nil {
		open, name = "open", p.Name
		if e.NameField != "" {
			nameStep, valueStep = "name", "value"
			if p.Typed == Relative {
				nameStep = "name-appended"
			}
		}
		if p.Dot {
			valueStep += "-dot"
		}
	}
	out = append(out,
		say(language, open, "apex", zone.Unicode(apex), "provider", name, "type", r.Type),
		say(language, nameStep, "name", e.Name, "field", e.NameField, "provider", name, "apex", zone.Unicode(apex), "full", r.Name),
		say(language, valueStep, "value", e.Value, "field", e.ValueField, "provider", name, "apex", zone.Unicode(apex)))
	if p != nil && p.Proxy.Switch != "" {
		out = append(out, say(language, "proxy", "switch", p.Proxy.Switch, "off", p.Proxy.Position))
	}
	out = append(out, say(language, "save"))
	if p != nil && p.Docs != "" {
		out = append(out, say(language, "docs", "provider", name, "docs", p.Docs))
	}
	return out
}

// Hint is the sentence in English that says where the domain's DNS is, and how the form
// there wants the CNAME; "" if none of the nameservers is known. It depends on nothing
// but its arguments. apex is as in Entry.
func Hint(nameservers []string, r zone.Record, apex string) string {
	found := Recognise(nameservers)
	switch len(found) {
	case 0:
		return ""
	case 1:
		return found[0].hint(r, apex)
	}
	return say(English, "hint-several", "provider", Names(English, found)) + "."
}

func (p *Provider) hint(r zone.Record, apex string) string {
	out := say(English, "hint-at", "provider", p.Name)
	switch e := p.Entry(r, apex); {
	case e.NameField != "":
		out += ": " + say(English, "hint-fields", "name", e.Name, "name-field", e.NameField, "value", e.Value, "value-field", e.ValueField)
	case p.Dot:
		out += ": " + say(English, "hint-dot")
	}
	if p.Proxy.Switch != "" {
		out += ", " + say(English, "hint-proxy", "switch", p.Proxy.Switch, "off", p.Proxy.Position)
	}
	return out + "."
}
