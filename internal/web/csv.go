package web

import (
	"encoding/csv"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/zone"
)

// csvHeader names the columns of the CSV.
var csvHeader = []string{"domain", "unicode", "scope", "state", "text", "certificates", "issuers", "expires", "renews", "record", "target", "todo", "outlook", "forecast", "outage", "unknownSince", "checkedAt"}

// WriteCSV writes domains for spreadsheets, as RFC 4180 has it: one a row, times in
// RFC 3339.
func WriteCSV(w io.Writer, rows []*Row) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	_ = c.Write(csvHeader) // the writer keeps its first error
	for _, r := range rows {
		var certificates, issuers []string
		var renewal, unknown time.Time
		var forecast string
		if d := r.Domain.Doubt; d != nil {
			unknown = d.Since
		}
		for _, x := range r.Domain.Certificates {
			certificates, issuers = append(certificates, x.Namespace+"/"+x.Name), append(issuers, x.Issuer)
			if x.RenewalTime != nil && (renewal.IsZero() || x.RenewalTime.Before(renewal)) {
				renewal = *x.RenewalTime
			}
			if f := x.Forecast; forecast == "" && f.Outlook == r.Outlook {
				forecast = f.String()
			}
		}
		cells := []string{
			r.Domain.Name, r.Domain.Unicode, r.Domain.Scope, string(r.Mark.State), r.Mark.Text, strings.Join(certificates, " "), strings.Join(issuers, " "),
			stamp(r.Expiry), stamp(renewal), r.Domain.Record.Name, r.Domain.Record.Value, r.Todo(),
			string(r.Outlook), forecast, stamp(r.Domain.Risk()), stamp(unknown), stamp(r.Domain.CheckedAt),
		}
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		_ = c.Write(cells)
	}
	c.Flush()
	return c.Error()
}

// Todo is what somebody has to do, in one sentence; empty for nothing.
func (r *Row) Todo() string {
	for _, f := range newFindings(r.Domain.Checks).Open {
		if f.Hint != "" {
			return f.Hint
		}
	}
	for _, request := range r.Domain.Requests {
		if request.Refused != "" {
			return request.Refused
		}
	}
	return elsewhere(r.Domain)
}

// elsewhere says which other domain a domain's Certificate waits for; empty for none.
func elsewhere(d *status.Domain) string {
	domain, because := d.Awaited()
	if domain == "" {
		return ""
	}
	name := domain
	if u := zone.Unicode(domain); u != domain {
		name = u + " (" + domain + ")"
	}
	if because == status.MissingRecord {
		return "Waits for the record of " + name + "."
	}
	return "Waits for " + name + ": see " + because + " there."
}

// harmless keeps a spreadsheet from taking a cell for a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// serveCSV writes the domains that a filter wants, a page of them if one is asked for.
func (p *page) serveCSV(w http.ResponseWriter, r *http.Request) {
	x := p.index()
	rows, _, err := x.asked(r)
	if err != nil {
		refusePlainly(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="signpost-domains.csv"`)
	_ = WriteCSV(w, rows)
}
