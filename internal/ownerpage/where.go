package ownerpage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/provider"
	"github.com/signpost-acme/signpost/internal/zone"
)

// maxNamed is how many nameservers a sentence names.
const maxNamed = 4

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
