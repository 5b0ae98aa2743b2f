package web

import (
	"errors"
	"time"
)

const (
	fewDomains = 5   // so many are shown with all that is known of them
	pageSize   = 30  // rows of a list
	maxChoices = 100 // of a filter: for more, people type
)

// listView is what a page of the list shows.
type listView struct {
	Filter            Filter
	Strip             strip
	States            []stateLink
	Choices           choices
	Shown             []domainView // on this page
	Inline            bool         // with everything that is known of them
	Many              bool         // domains there are, so that it takes a search
	Total, Matching   int
	From, To          int // of those that match, from 1
	PageNumber, Pages int
	Previous, Next    string // queries; empty for none
	ListQuery         string // of the whole list
}

// stateLink is a state, and how many domains are in it.
type stateLink struct {
	Mark  Mark
	Query string
	Here  bool
}

// choices are the options of the form's fields; none where people type.
type choices struct{ State, Outlook, Namespace, Issuer, Expiry, Sort []option }

type option struct {
	Value, Title string
	Here         bool
}

// list returns one page of the domains that a filter wants.
func (x *Index) list(f Filter, now time.Time, lenient bool) (l listView, err error) {
	rows := x.Select(f)
	shown, count, err := pages(rows, f.Page, pageSize)
	if missing := (*problem)(nil); lenient && errors.As(err, &missing) {
		f.Page = count
		shown, _, err = pages(rows, f.Page, pageSize)
	}
	if err != nil {
		return l, err
	}
	l = listView{
		Filter: f, Strip: x.strip, Choices: x.choices(f), Total: len(x.entries), Matching: len(rows),
		Many: len(x.entries) > fewDomains, Inline: len(rows) <= fewDomains, PageNumber: max(1, f.Page), Pages: count,
	}
	l.From = (l.PageNumber-1)*pageSize + 1
	l.To = l.From + len(shown) - 1
	for _, r := range shown {
		l.Shown = append(l.Shown, newDomainView(r, now))
	}
	to := f
	if to.Page = l.PageNumber - 1; to.Page >= 1 {
		l.Previous = "?" + trimQuery(to)
	}
	if to.Page = l.PageNumber + 1; to.Page <= count {
		l.Next = "?" + trimQuery(to)
	}
	to.Page = 0
	l.ListQuery = to.Query()
	l.States = x.states(f)
	return l, nil
}

// trimQuery is a query without its question mark.
func trimQuery(f Filter) string {
	if q := f.Query(); q != "" {
		return q[1:]
	}
	return ""
}

// states are links to the domains of each state, and to all.
func (x *Index) states(f Filter) (links []stateLink) {
	f.Page = 0
	add := func(state State, mark Mark) {
		to := f
		to.State = state
		links = append(links, stateLink{mark, to.Query(), f.State == state})
	}
	add("", Mark{State: "", Text: "All " + count(len(x.entries))})
	for _, c := range stateChoices {
		if n := x.tally.Domains[State(c.Value)]; n > 0 {
			add(State(c.Value), Mark{State: State(c.Value), Text: c.Title + " " + count(n)})
		}
	}
	return links
}

// choices are the options of the search form.
func (x *Index) choices(f Filter) choices {
	names := func(list []string) (out []choice) {
		if len(list) > maxChoices {
			return nil
		}
		for _, name := range list {
			out = append(out, choice{name, name})
		}
		return out
	}
	return choices{
		State: options(stateChoices, "any", string(f.State)), Outlook: options(outlookChoices, "any", string(f.Outlook)), Expiry: options(expiryChoices, "any", f.Expiry), Sort: options(sortChoices, "", f.Sort),
		Namespace: options(names(x.namespaces), "any", f.Namespace), Issuer: options(names(x.issuers), "any", f.Issuer),
	}
}

// options are the choices, before them none of them under that title, and the one that
// is chosen even if it is not among them.
func options(list []choice, none, chosen string) (out []option) {
	if len(list) == 0 {
		return nil
	}
	if none != "" {
		out = append(out, option{"", none, chosen == ""})
	}
	found := chosen == ""
	for _, c := range list {
		out = append(out, option{c.Value, c.Title, c.Value == chosen})
		found = found || c.Value == chosen
	}
	if !found {
		out = append(out, option{chosen, chosen, true})
	}
	return out
}
