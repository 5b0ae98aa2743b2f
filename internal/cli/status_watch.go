package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/web"
)

// watchInterval is the pause between two looks at the cluster.
const watchInterval = 5 * time.Second

// follow shows what changes until ctx is done. A look that fails is retried.
func (o *overview) follow(ctx context.Context, x *web.Index) error {
	known := o.seenIn(x)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchInterval):
		}
		next, err := o.look(ctx)
		switch {
		case err == nil:
			o.changes(known, next)
			known = o.seenIn(next)
		case ctx.Err() != nil: // Ctrl-C ends it well
		case !temporary(err):
			return err
		default:
			o.from.note("%v; trying again", err)
		}
	}
	return nil
}

// seen is what is shown of a domain when it changes.
type seen struct {
	mark    status.Mark
	outlook status.Outlook
}

func (s seen) String() string {
	if s.outlook == "" { // a part of the installation
		return s.mark.Text
	}
	return fmt.Sprintf("%s, %s", s.mark.Text, s.outlook)
}

// changes writes a line for each part, and each domain, that is another than before.
func (o *overview) changes(before map[string]seen, x *web.Index) {
	now, said := o.seenIn(x), false
	line := func(key, format string, args ...any) {
		said = true
		_, name, _ := strings.Cut(key, "/")
		fmt.Fprintf(o.out, "%s  %s: %s\n", x.At.Local().Format(time.TimeOnly), name, fmt.Sprintf(format, args...))
	}
	var keys []string
	for _, t := range o.parts(x) {
		keys = append(keys, keyOf(t))
	}
	for _, r := range x.All() {
		keys = append(keys, r.Domain.Scope+"/"+r.Domain.Name)
	}
	for _, key := range keys {
		switch was, known := before[key]; {
		case !known && now[key].outlook == "":
			line(key, "%s", now[key])
		case !known:
			line(key, "new: %s", now[key])
		case was != now[key]:
			line(key, "%s → %s", was, now[key])
		}
	}
	for key, was := range before {
		if _, there := now[key]; there {
			continue
		}
		if was.outlook == "" {
			line(key, "up to date again")
		} else {
			line(key, "no Certificate any more")
		}
	}
	if said {
		fmt.Fprintf(o.out, "%s  %s\n", x.At.Local().Format(time.TimeOnly), x.DomainsMark().Text)
	}
}

// keyOf is what a part is called among what is seen: as no domain is.
func keyOf(t web.Tile) string { return "/" + t.Title }

// seenIn is what is shown of all parts, and of all domains by scope/name.
func (o *overview) seenIn(x *web.Index) map[string]seen {
	list := map[string]seen{}
	for _, t := range o.parts(x) {
		if t.ID == partPage { // its age is another at every look
			t.Mark.Text = "not up to date"
		}
		list[keyOf(t)] = seen{mark: t.Mark}
	}
	for _, r := range x.All() {
		list[r.Domain.Scope+"/"+r.Domain.Name] = seen{r.Mark, r.Outlook}
	}
	return list
}
