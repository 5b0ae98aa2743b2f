package cli

import (
	"fmt"
	"strings"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/web"
)

// The part that only this command has: how old the page's snapshot is.
const partPage = "page"

// part is a part of the installation, beside the domains, for programs.
type part struct {
	ID    string       `json:"id"`
	Title string       `json:"title"`
	State status.State `json:"state"`
	Text  string       `json:"text"`
}

// parts are the parts of the installation as the page has them, without the domains. From
// this machine only the DNS server can be seen.
func (o *overview) parts(x *web.Index) (list []web.Tile) {
	for _, t := range x.Tiles() {
		if t.ID == web.TileServer || t.ID != web.TileDomains && o.from.name == fromPage {
			list = append(list, t)
		}
	}
	if old, ok := x.Old(o.from.now); ok {
		list = append(list, web.Tile{ID: partPage, Title: "Status page", Mark: old})
	}
	return list
}

// showParts writes a line for each part, and below it what to do.
func (o *overview) showParts(x *web.Index) {
	for _, t := range o.parts(x) {
		title := t.Title
		if t.ID == web.TileServer {
			title += " of " + x.Zone
		}
		fmt.Fprintf(o.out, "%s %s: %s\n", t.Mark.Icon(), title, t.Mark.Text)
		switch t.ID {
		case web.TileServer:
			for _, f := range x.Open() {
				if f.Hint != "" {
					fmt.Fprintf(o.out, "  %s %s: %s\n", f.Check, f.Subject, f.Hint)
				}
			}
			if doubt := x.Doubt; doubt != nil {
				fmt.Fprintf(o.out, "  cannot be told since %s\n", moment(doubt.Since))
			}
		case web.TileStore:
			if x.Store.Text != "" {
				fmt.Fprintf(o.out, "  %s\n", x.Store.Text)
			}
		case web.TileReplicas:
			for _, r := range x.Replicas {
				if r.Others {
					fmt.Fprintf(o.out, "  %s has other --secondary settings than the replica that was asked\n", r.Address)
				}
			}
		}
	}
	for _, m := range o.from.missing {
		fmt.Fprintf(o.out, "? %s: you may not read them: %s\n", m.Kind, without(m))
	}
	if o.from.name == fromMachine {
		fmt.Fprintln(o.out, "  The record store, the replicas and the order gate cannot be seen from this machine.")
	}
}

// partDocuments are the parts for programs.
func (o *overview) partDocuments(x *web.Index) []part {
	list := []part{}
	for _, t := range o.parts(x) {
		list = append(list, part{t.ID, t.Title, t.Mark.State, t.Mark.Text})
	}
	return list
}

// wrong says what is wrong with a part, for the verdict: that it has failed, or cannot be
// told. Empty for nothing.
func wrong(t web.Tile, zone string) string {
	failed := t.Mark.State == status.Failed
	switch {
	case !failed && t.Mark.State != status.Unknown:
		return ""
	case t.ID == partPage:
		return "the status page is not up to date: " + strings.ToLower(t.Mark.Text[:1]) + t.Mark.Text[1:]
	case t.ID == web.TileServer && !failed:
		return fmt.Sprintf("whether the DNS server of %s is delegated and reachable cannot be told", zone)
	case t.ID == web.TileServer && strings.Contains(t.Headline, "order gate"):
		return "the order gate is not set up as it must be"
	case t.ID == web.TileServer:
		return fmt.Sprintf("the DNS server of %s is not delegated or not reachable as it must be: signpost check says what is wrong", zone)
	}
	return strings.ToLower(t.Headline[:1]) + t.Headline[1:]
}

// headline is the worst of the domains and all parts, as the page has it.
func (o *overview) headline(x *web.Index) status.Mark {
	if o.from.name == fromPage {
		return x.Headline(o.from.now)
	}
	mark := o.domainsMark(x)
	for _, t := range o.parts(x) {
		mark.Worsen(status.Mark{State: t.Mark.State, Text: t.Headline})
	}
	if len(o.from.missing) > 0 {
		mark.Worsen(status.Mark{State: status.Unknown, Text: o.from.missing[0].Kind + " could not be read"})
	}
	return mark
}

// domainsMark is the worst of the domains; it is unknown if there may be others.
func (o *overview) domainsMark(x *web.Index) status.Mark {
	mark := x.DomainsMark()
	if kinds := o.undecided(); kinds != "" {
		unknown := status.Mark{State: status.Unknown, Text: mark.Text + "; there may be others"}
		if len(x.All()) == 0 {
			unknown.Text = "Not known"
		}
		mark.Worsen(unknown)
	}
	return mark
}

// undecided are the kinds without which it cannot be told which Certificates use
// Signpost; empty if it can.
func (o *overview) undecided() string {
	var kinds []string
	for _, m := range o.from.missing {
		if m.Decides {
			kinds = append(kinds, m.Kind)
		}
	}
	return strings.Join(kinds, " and ")
}

// without says what is not known for want of a kind.
func without(m cluster.Missing) string {
	if m.Decides {
		return "which Certificates use Signpost cannot be told"
	}
	return "what they would say is not known"
}
