package web

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
)

// outdated is how old a snapshot may be.
const outdated = time.Minute

// Tile is one part of what is shown in short. The page and the command line have the same.
type Tile struct {
	ID, Title string
	Mark      Mark
	Headline  string // what it makes of the headline if nothing is worse
}

// The IDs of tiles, which are anchors of the page too.
const (
	TileServer   = "server"
	TileDomains  = "domains"
	TileStore    = "store"
	TileReplicas = "replicas"
)

// Tiles are the parts, in the order in which they are shown.
func (x *Index) Tiles() []Tile {
	server, store, replicas := x.ServerMark(), markStore(x.Store), markReplicas(x.Replicas)
	return []Tile{
		{TileServer, "DNS server", server, serverHeadline(x.Server, server)},
		{TileDomains, "Domains", x.markDomains(""), x.domainsHeadline()},
		{TileStore, "Record store", store, map[State]string{
			Pending: "The records are being read",
			Failed:  "The record store does not work",
		}[store.State]},
		{TileReplicas, "Replicas", replicas, map[State]string{
			Warning: "The replicas differ in their secondaries",
			Unknown: "The replicas are not known",
		}[replicas.State]},
	}
}

// Headline is the worst state of all parts in one sentence, at the time now.
func (x *Index) Headline(now time.Time) Mark {
	mark := Mark{State: OK, Text: "Everything works"}
	if len(x.entries) == 0 {
		mark.Text = "Ready for the first domain"
	}
	for _, t := range x.Tiles() {
		mark.Worsen(Mark{State: t.Mark.State, Text: t.Headline})
	}
	if old, ok := x.Old(now); ok {
		mark.Worsen(old)
	}
	return mark
}

// Old says that the snapshot is too old to be believed at the time now, if it is.
func (x *Index) Old(now time.Time) (Mark, bool) {
	if x.At.IsZero() || now.Sub(x.At) <= outdated {
		return Mark{}, false
	}
	return Mark{State: Unknown, Text: fmt.Sprintf("What is known is %s old", span(now.Sub(x.At)))}, true
}

// ServerMark is the state of the delegation and of our DNS server.
func (x *Index) ServerMark() Mark { return markServer(x.Server) }

// DomainsMark is the worst state of all domains, and how many have it.
func (x *Index) DomainsMark() Mark {
	return x.markDomains(plural(len(x.entries), " domain", " domains"))
}

func (x *Index) markDomains(of string) Mark {
	return markDomains(&x.tally, len(x.entries), x.Cluster, of)
}

func (x *Index) domainsHeadline() string {
	if x.Cluster != "" {
		return "The domains are not known"
	}
	text := x.DomainsMark().Text
	if danger := danger(&x.tally); danger != "" {
		return danger + "; " + text
	}
	return text
}

// Open are the findings about the DNS server and the order gate that somebody has to
// look at, the worst first.
func (x *Index) Open() (list []check.Finding) {
	for _, f := range newFindings(x.Server).Open {
		list = append(list, f.Finding)
	}
	slices.SortStableFunc(list, func(a, b check.Finding) int {
		return cmp.Compare(status.MarkOf(b).State.Severity(), status.MarkOf(a).State.Severity())
	})
	return list
}
