package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/signpost-acme/signpost/internal/status"
)

// maxSearch is how long what is searched for may be: longer than any domain.
const maxSearch = 300

// Filter says which domains are wanted, and how. The zero value wants all.
type Filter struct {
	State     State
	Outlook   status.Outlook // of the Certificate that has the worst
	Search    string         // words that must all be in names, records or certificates
	Namespace string         // of a Certificate
	Issuer    string         // kind/name
	Expiry    string         // one of expiries
	Sort      string         // one of sorts
	Page      int            // from 1; 0 if none was asked for
}

// problem is a request that cannot be answered, in one sentence for people.
type problem struct {
	Code int // of HTTP
	Text string
}

func (p *problem) Error() string { return p.Text }

func wrong(format string, args ...any) error {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// choice is one value of a filter.
type choice struct{ Value, Title string }

// The values of filters, in the order in which the page has them.
var (
	stateChoices   = []choice{{string(Failed), "Needs a change"}, {string(Unknown), "Not known"}, {string(Warning), "Warning"}, {string(Pending), "Under way"}, {string(OK), "Ready"}}
	outlookChoices = []choice{{string(status.Expired), "Expired"}, {string(status.AtRisk), "At risk"}, {string(status.Untold), "Not known"}, {string(status.Waiting), "Not issued yet"}, {string(status.Renewing), "Would pass"}}
	expiryChoices  = []choice{{"expired", "Expired"}, {"7d", "Within 7 days"}, {"30d", "Within 30 days"}, {"90d", "Within 90 days"}, {"none", "No certificate yet"}}
	sortChoices    = []choice{{"state", "The worst first"}, {"name", "By name"}, {"expiry", "By expiry"}}
)

// filters are the names of what can be asked for; "fragment" is the page's own.
var filters = []string{"state", "outlook", "q", "namespace", "issuer", "expires", "sort", "page"}

// OutlookNames are the values of Filter.Outlook.
func OutlookNames() (names []string) {
	for _, c := range outlookChoices {
		names = append(names, c.Value)
	}
	return names
}

// StateNames are the values of Filter.State.
func StateNames() (names []string) {
	for _, c := range stateChoices {
		names = append(names, c.Value)
	}
	return names
}

// ParseFilter reads a query. Its errors are for people, and name what there is.
func ParseFilter(query url.Values) (f Filter, err error) {
	for name, values := range query {
		switch {
		case name == "fragment":
		case !slices.Contains(filters, name):
			return f, wrong("There is no filter “%s”. There are %s.", shorten(name), strings.Join(filters, ", "))
		case len(values) > 1:
			return f, wrong("The filter %s is given %d times.", name, len(values))
		case utf8.RuneCountInString(values[0]) > maxSearch:
			return f, wrong("What is given for %s is too long: %d characters, where %d are allowed.", name, utf8.RuneCountInString(values[0]), maxSearch)
		case !utf8.ValidString(values[0]) || strings.ContainsFunc(values[0], unicode.IsControl):
			return f, wrong("What is given for %s has characters in it that are no text.", name)
		}
	}
	f = Filter{
		State: State(query.Get("state")), Outlook: status.Outlook(query.Get("outlook")), Search: strings.TrimSpace(query.Get("q")), Namespace: strings.TrimSpace(query.Get("namespace")),
		Issuer: strings.TrimSpace(query.Get("issuer")), Expiry: query.Get("expires"), Sort: query.Get("sort"),
	}
	for _, v := range []struct {
		name, value string
		choices     []choice
	}{{"state", string(f.State), stateChoices}, {"outlook", string(f.Outlook), outlookChoices}, {"expires", f.Expiry, expiryChoices}, {"sort", f.Sort, sortChoices}} {
		if v.value != "" && !slices.ContainsFunc(v.choices, func(c choice) bool { return c.Value == v.value }) {
			return f, wrong("For %s there is no “%s”. There are %s.", v.name, shorten(v.value), values(v.choices))
		}
	}
	if text := query.Get("page"); text != "" {
		if f.Page, err = strconv.Atoi(text); err != nil || f.Page < 1 {
			return f, wrong("“%s” is not the number of a page.", shorten(text))
		}
	}
	return f, nil
}

func values(choices []choice) string {
	var list []string
	for _, c := range choices {
		list = append(list, c.Value)
	}
	return strings.Join(list, ", ")
}

// Narrows reports whether some domains may be left out.
func (f Filter) Narrows() bool {
	f.Sort, f.Page = "", 0
	return f != Filter{}
}

// Query is the address of what the filter wants, as ParseFilter reads it: "" or
// "?" and the parameters in a fixed order.
func (f Filter) Query() string {
	var b strings.Builder
	add := func(name, value string) {
		if value == "" {
			return
		}
		b.WriteString(cmp.Or(strings.Repeat("&", min(b.Len(), 1)), "?") + name + "=" + url.QueryEscape(value))
	}
	add("state", string(f.State))
	add("outlook", string(f.Outlook))
	add("q", f.Search)
	add("namespace", f.Namespace)
	add("issuer", f.Issuer)
	add("expires", f.Expiry)
	add("sort", f.Sort)
	if f.Page > 1 {
		add("page", strconv.Itoa(f.Page))
	}
	return b.String()
}

// matcher returns what tells whether the filter wants a domain.
func (f Filter) matcher(now time.Time) func(*Row) bool {
	words := strings.Fields(strings.ToLower(f.Search))
	for i, w := range words { // as people copy them
		words[i] = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(w, "*."), "_acme-challenge."), ".")
	}
	return func(e *Row) bool {
		return (f.State == "" || f.State == e.Mark.State) && (f.Outlook == "" || f.Outlook == e.Outlook) && f.wantsCertificate(e) && wantsExpiry(f.Expiry, e.Expiry, now) &&
			!slices.ContainsFunc(words, func(w string) bool { return !mentions(e, w) })
	}
}

// wantsCertificate reports whether one Certificate has the namespace and the Issuer.
func (f Filter) wantsCertificate(e *Row) bool {
	if f.Namespace == "" && f.Issuer == "" {
		return true
	}
	for _, c := range e.Domain.Certificates {
		if (f.Namespace == "" || f.Namespace == c.Namespace) && (f.Issuer == "" || f.Issuer == c.Issuer) {
			return true
		}
	}
	return false
}

func wantsExpiry(want string, expiry, now time.Time) bool {
	switch want {
	case "":
		return true
	case "none":
		return expiry.IsZero()
	case "expired":
		return !expiry.IsZero() && !now.Before(expiry)
	}
	days, _ := strconv.Atoi(strings.TrimSuffix(want, "d"))
	return !expiry.IsZero() && now.Before(expiry) && expiry.Before(now.Add(time.Duration(days)*24*time.Hour))
}

// mentions reports whether a word is in a domain's names, record or certificates.
func mentions(e *Row, word string) bool {
	d := e.Domain
	if strings.Contains(d.Name, word) || strings.Contains(d.Unicode, word) || strings.Contains(d.Record.Value, word) {
		return true
	}
	for _, c := range d.Certificates {
		if strings.Contains(c.Namespace, word) || strings.Contains(c.Name, word) {
			return true
		}
	}
	return false
}

// Select returns the domains that a filter wants, in its order: by name for "name",
// and for "" too where there are few.
func (x *Index) Select(f Filter) []*Row {
	wants := f.matcher(x.now)
	order := x.byState
	switch f.Sort {
	case "":
		if len(x.entries) <= fewDomains {
			order = x.byName
		}
	case "name":
		order = x.byName
	case "expiry":
		order = x.byExpiry
	}
	var rows []*Row
	for _, i := range order() {
		if e := &x.entries[i]; wants(e) {
			rows = append(rows, e)
		}
	}
	return rows
}

// pages cuts rows into pages of that size, and returns the one that is asked for
// and how many there are. One that does not exist is an error.
func pages(rows []*Row, page, size int) (shown []*Row, count int, err error) {
	count = max(1, (len(rows)+size-1)/size)
	page = max(1, page)
	if page > count {
		return nil, count, &problem{http.StatusNotFound, fmt.Sprintf("There is no page %d: with this filter there %s %d.", page, plural(count, "is", "are"), count)}
	}
	return rows[(page-1)*size : min(page*size, len(rows))], count, nil
}
