package ownerpage

import (
	"cmp"
	"slices"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

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
