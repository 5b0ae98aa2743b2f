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
	known := seenIn(x)
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
			known = seenIn(next)
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

func (s seen) String() string { return fmt.Sprintf("%s, %s", s.mark.Text, s.outlook) }

// changes writes a line for each domain that is another than before.
func (o *overview) changes(before map[string]seen, x *web.Index) {
	now, said := seenIn(x), false
	line := func(key, format string, args ...any) {
		said = true
		_, name, _ := strings.Cut(key, "/")
		fmt.Fprintf(o.out, "%s  %s: %s\n", x.At.Local().Format(time.TimeOnly), name, fmt.Sprintf(format, args...))
	}
	for _, r := range x.All() {
		key := r.Domain.Scope + "/" + r.Domain.Name
		switch was, known := before[key]; {
		case !known:
			line(key, "new: %s", now[key])
		case was != now[key]:
			line(key, "%s → %s", was, now[key])
		}
	}
	for key := range before {
		if _, there := now[key]; !there {
			line(key, "no Certificate any more")
		}
	}
	if said {
		fmt.Fprintf(o.out, "%s  %s\n", x.At.Local().Format(time.TimeOnly), x.DomainsMark().Text)
	}
}

// seenIn is what is shown of all domains, by scope/name.
func seenIn(x *web.Index) map[string]seen {
	list := map[string]seen{}
	for _, r := range x.All() {
		list[r.Domain.Scope+"/"+r.Domain.Name] = seen{r.Mark, r.Outlook}
	}
	return list
}
