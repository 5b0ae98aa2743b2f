package web

import (
	"encoding/json"
	"net/http"

	"github.com/signpost-acme/signpost/internal/status"
)

// document is what /status.json shows: the snapshot, and what follows from it.
type document struct {
	State    State  `json:"state"`    // the worst of all
	Headline string `json:"headline"` // the same in words
	status.Snapshot
	Domains []domainDocument `json:"domains"` // instead of those of Snapshot
}

type domainDocument struct {
	State State  `json:"state"`
	Text  string `json:"text"` // the same in words
	status.Domain
}

func (p *page) serveJSON(w http.ResponseWriter, _ *http.Request) {
	v := newView(p.snapshot(), p.now())
	d := document{State: v.Mark.State, Headline: v.Mark.Text, Snapshot: v.Snapshot, Domains: []domainDocument{}}
	d.Records, d.Server, d.Replicas = list(d.Records), list(d.Server), list(d.Replicas)
	for _, x := range v.List {
		x.Checks, x.Certificates, x.Requests = list(x.Checks), list(x.Certificates), list(x.Requests)
		x.Challenges = append([]status.Challenge{}, x.Challenges...)
		for i := range x.Challenges {
			x.Challenges[i].Asked.Networks = list(x.Challenges[i].Asked.Networks)
		}
		d.Domains = append(d.Domains, domainDocument{State: x.Mark.State, Text: x.Mark.Text, Domain: x.Domain})
	}
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(d)
}

// list makes an empty list [] in JSON, where nil would be null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
