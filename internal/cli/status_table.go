package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/web"
)

// statusDocument is status for programs: of /status.json, what a user's rights are
// always enough for.
type statusDocument struct {
	State       status.State           `json:"state"`    // the worst of all domains and parts
	Headline    string                 `json:"headline"` // the same in words
	At          time.Time              `json:"at"`
	From        string                 `json:"from"` // status page, or this machine
	Zone        string                 `json:"zone"`
	Parts       []part                 `json:"parts"` // of the installation
	Server      []check.Finding        `json:"server"`
	Total       int                    `json:"total"`    // domains in question
	Outlooks    map[status.Outlook]int `json:"outlooks"` // of certificates
	FirstAtRisk *time.Time             `json:"firstAtRisk,omitempty"`
	Domains     []web.DomainDocument   `json:"domains"` // that are listed
}

// show writes what was found, as it was asked for.
func (o *overview) show(x *web.Index) error {
	rows := slices.DeleteFunc(x.Select(web.Filter{Sort: "state"}), func(r *web.Row) bool { return !o.lists(r) })
	switch o.output {
	case "csv":
		return web.WriteCSV(o.out, rows)
	case "json":
		return writeJSON(o.out, o.document(x, rows))
	}
	o.summary(x)
	if len(rows) == 0 {
		if o.state != "" || o.outlook != "" {
			fmt.Fprintf(o.out, "\nNo domain%s is so: %s\n", o.in(), strings.TrimSpace(strings.Join([]string{and("--state ", o.state), and("--outlook ", o.outlook)}, " ")))
		}
		return nil
	}
	fmt.Fprintln(o.out)
	if err := o.table(rows); err != nil {
		return err
	}
	if first := oldest(rows); o.from.name == fromPage && !first.IsZero() && o.from.now.Sub(first) > longAgo {
		fmt.Fprintf(o.out, "\nNot all of these were looked at lately: the first at %s. --from-here looks now.\n", moment(first))
	}
	return nil
}

// longAgo is when somebody who has just changed a record may want another look: the page
// looks seldom at what is well, and at what has been wrong for long.
const longAgo = 10 * time.Minute

// oldest is when the row was looked at that was looked at before all others; zero for none.
func oldest(rows []*web.Row) (first time.Time) {
	for _, r := range rows {
		if at := r.Domain.CheckedAt; !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// and puts something before a text, unless that is empty.
func and(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

func (o *overview) document(x *web.Index, rows []*web.Row) statusDocument {
	mark, t := o.headline(x), x.Tally()
	d := statusDocument{
		State: mark.State, Headline: mark.Text, At: x.At, From: o.from.name, Zone: x.Zone, Parts: o.partDocuments(x), Server: x.Server, Total: len(x.All()),
		Outlooks: map[status.Outlook]int{}, Domains: []web.DomainDocument{},
	}
	if d.Server == nil {
		d.Server = []check.Finding{}
	}
	for _, outlook := range status.Outlooks {
		d.Outlooks[outlook] = t.Outlooks[outlook]
	}
	if !t.FirstAtRisk.IsZero() {
		d.FirstAtRisk = &t.FirstAtRisk
	}
	for _, r := range rows {
		d.Domains = append(d.Domains, r.Document())
	}
	return d
}

// summary says how all are in a few lines.
func (o *overview) summary(x *web.Index) {
	mark, t, unsure := o.domainsMark(x), x.Tally(), o.undecided() != ""
	if o.namespace != "" && len(x.All()) == 0 && !unsure {
		fmt.Fprintf(o.out, "✓ No Certificates of Signpost%s\n", o.in())
		o.showParts(x)
		return
	}
	var outlooks []string
	for _, outlook := range status.Outlooks {
		if n := t.Outlooks[outlook]; n > 0 {
			outlooks = append(outlooks, fmt.Sprintf("%d %s", n, outlook))
		}
	}
	icon := "✓"
	if t.InDanger() > 0 {
		icon = "✕"
	} else if t.Outlooks[status.Untold] > 0 || unsure {
		icon = "?"
	}
	none := "none"
	if unsure {
		none = "not known"
	}
	first := ""
	if !t.FirstAtRisk.IsZero() {
		first = fmt.Sprintf("; the first that is at risk expires on %s, in %d days", t.FirstAtRisk.UTC().Format(time.DateOnly), int(time.Until(t.FirstAtRisk).Hours()/24))
	}
	fmt.Fprintf(o.out, "%s Certificates: %s%s\n", icon, cmp.Or(strings.Join(outlooks, ", "), none), first)
	fmt.Fprintf(o.out, "%s Domains%s: %s\n", mark.Icon(), o.in(), mark.Text)
	o.showParts(x)
}

// table writes domains as lines.
func (o *overview) table(rows []*web.Row) error {
	t := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	head := []string{"DOMAIN", "STATE", "NAMESPACE", "EXPIRES", "RENEWAL"}
	if o.output == "wide" {
		head = append(head, "CERTIFICATE", "ISSUER", "SCOPE", "TARGET", "FORECAST", "UNKNOWN SINCE", "LOOKED AT")
	}
	fmt.Fprintln(t, strings.Join(append(head, "TO DO"), "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(o.cells(r), "\t"))
	}
	return t.Flush()
}

func (o *overview) cells(r *web.Row) []string {
	of := func(field func(status.Certificate) string) string {
		var list []string
		for _, c := range r.Domain.Certificates {
			if v := field(c); v != "" && !slices.Contains(list, v) {
				list = append(list, v)
			}
		}
		return dash(strings.Join(list, ","))
	}
	cells := []string{r.Domain.Name, r.Mark.Icon() + " " + r.Mark.Text, of(func(c status.Certificate) string { return c.Namespace }), dash(day(r.Expiry)), renewal(r)}
	if o.output == "wide" {
		unknown := time.Time{}
		if d := r.Domain.Doubt; d != nil {
			unknown = d.Since
		}
		cells = append(cells, of(func(c status.Certificate) string { return c.Name }), of(func(c status.Certificate) string { return c.Issuer }),
			r.Domain.Scope, r.Domain.Record.Value, of(func(c status.Certificate) string {
				if c.Forecast.Outlook != r.Outlook {
					return ""
				}
				return c.Forecast.String()
			}), dash(day(unknown)), dash(moment(r.Domain.CheckedAt)))
	}
	return append(cells, dash(r.Todo()))
}

// renewal is the outlook, and when the next renewal is due.
func renewal(r *web.Row) string {
	var next time.Time
	for _, c := range r.Domain.Certificates {
		if c.RenewalTime != nil && (next.IsZero() || c.RenewalTime.Before(next)) {
			next = *c.RenewalTime
		}
	}
	if next.IsZero() {
		return string(r.Outlook)
	}
	return string(r.Outlook) + " " + day(next)
}

// dash stands for nothing, so that columns can be told apart.
func dash(text string) string { return cmp.Or(text, "-") }

// moment is a time to the second, in one word.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}
