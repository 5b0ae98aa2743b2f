package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/signpost-acme/signpost/internal/zone"
)

// recordTTL is what we propose. The records never change, but while somebody is
// still correcting them a short one saves an hour.
const recordTTL = 300

// recordWriters write records in a form that has nothing to compute.
var recordWriters = map[string]func(io.Writer, []zone.Record) error{
	"table":       writeRecordTable,
	"zone":        writeZoneFile,
	"json":        writeRecordJSON,
	"dnsendpoint": writeDNSEndpoint,
}

func writeRecordTable(w io.Writer, records []zone.Record) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tTYPE\tVALUE\tWHY")
	for _, r := range records {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Name, r.Type, r.Value, r.Why)
	}
	return t.Flush()
}

func writeZoneFile(w io.Writer, records []zone.Record) error {
	var b strings.Builder
	why := ""
	for _, r := range records {
		if r.Why != why {
			fmt.Fprintf(&b, "; %s\n", r.Why)
		}
		why = r.Why
		fmt.Fprintf(&b, "%s.\t%d\tIN\t%s\t%s\n", r.Name, recordTTL, r.Type, absolute(r))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// absolute returns the value with a final dot, if it is a name.
func absolute(r zone.Record) string {
	if r.Type == "NS" || r.Type == "CNAME" {
		return r.Value + "."
	}
	return r.Value
}

func writeRecordJSON(w io.Writer, records []zone.Record) error {
	if records == nil {
		records = []zone.Record{}
	}
	return writeJSON(w, records)
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// writeDNSEndpoint writes external-dns's DNSEndpoint. Names are host names, and
// need no quoting beyond quotation marks. It takes A, AAAA, CNAME and NS from us;
// CAA and DS it does not have, and TXT it keeps its own books in.
func writeDNSEndpoint(w io.Writer, records []zone.Record) error {
	var b strings.Builder
	b.WriteString("apiVersion: externaldns.k8s.io/v1alpha1\nkind: DNSEndpoint\nmetadata:\n  name: signpost\nspec:\n  endpoints:\n")
	for _, set := range recordSets(records) {
		if slices.Contains([]string{"CAA", "DS", "TXT"}, set[0].Type) {
			continue
		}
		fmt.Fprintf(&b, "    - dnsName: %q\n      recordType: %s\n      recordTTL: %d\n      targets:\n", set[0].Name, set[0].Type, recordTTL)
		for _, r := range set {
			fmt.Fprintf(&b, "        - %q\n", r.Value)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeTerraform writes locals that belong to no provider. The targets are
// computed in it, so that it goes on working when domains are added.
func writeTerraform(w io.Writer, d *domains) error {
	var b strings.Builder
	b.WriteString("locals {\n")
	fmt.Fprintf(&b, "  signpost_zone      = %q\n", d.zone.Origin())
	fmt.Fprintf(&b, "  signpost_namespace = %q # of the Issuer\n", d.scope)
	b.WriteString("  signpost_domains = [\n")
	for _, t := range d.targets {
		fmt.Fprintf(&b, "    %q,\n", t.Domain)
	}
	b.WriteString(`  ]

  # The CNAME of each domain: its name, and its value.
  signpost_cnames = {
    for domain in local.signpost_domains :
    "_acme-challenge.${domain}" => "${uuidv5(uuidv5("dns", local.signpost_zone), "${local.signpost_namespace}/${domain}")}.${local.signpost_zone}"
  }

  # What delegates the zone to Signpost.
  signpost_delegation = [
`)
	for _, set := range recordSets(append(d.delegation(), d.ds...)) {
		var values []string
		for _, r := range set {
			values = append(values, fmt.Sprintf("%q", r.Value))
		}
		fmt.Fprintf(&b, "    { name = %q, type = %q, ttl = %d, values = [%s] },\n", set[0].Name, set[0].Type, recordTTL, strings.Join(values, ", "))
	}
	b.WriteString("  ]\n")
	b.WriteString(d.bind.terraform(d))
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}
