package web

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

// form turns a domain into the record to add and the Certificate to apply.
type form struct {
	Shown     bool   // there is a zone to compute with
	Sent      bool   // somebody asked
	Domain    string // as typed
	Namespace string // as typed
	Error     string // one sentence, empty if all is well

	ASCII, Unicode string // the domain without "*."; Unicode only where it differs
	Wildcard       bool
	Kind           string // of the Issuer that the record is for
	Scope          string
	Record         check.Record
	YAML           string
}

// newForm answers a query. What it cannot answer it says in Error.
func newForm(z *zone.Zone, s Status, query url.Values) form {
	f := form{Shown: z != nil, Sent: query.Has("domain"), Namespace: strings.TrimSpace(query.Get("namespace"))}
	f.Domain = strings.TrimSpace(query.Get("domain"))
	if !f.Shown || !f.Sent || f.Domain == "" && !query.Has("namespace") { // the page without reloading
		f.Sent = false
		return f
	}
	if err := f.answer(z, s); err != nil {
		f.Error = err.Error()
	}
	return f
}

func (f *form) answer(z *zone.Zone, s Status) error {
	if f.Domain == "" {
		return errors.New("write a domain, for example *.example.com")
	}
	if strings.ContainsAny(f.Domain, "/:@") {
		return fmt.Errorf("%q: write only the name, without https://, port or path, for example *.example.com", shorten(f.Domain))
	}
	name, err := zone.Domain(f.Domain)
	if err != nil {
		return err
	}
	if suffix, icann := publicsuffix.PublicSuffix(name); icann && suffix == name {
		return fmt.Errorf("domain %q: is a public suffix, below which anybody can register; use a domain of your own below it", name)
	}
	f.Kind, f.Scope = "Issuer", f.Namespace
	switch {
	case s.Strict && f.Scope == "":
		return errors.New("write the namespace of the Certificate too: the record differs for each")
	case s.Strict:
		f.Kind = "ClusterIssuer"
	case f.Scope == "" || f.Scope == s.Namespace:
		f.Kind, f.Scope = "ClusterIssuer", s.Namespace
	}
	if f.Scope == "" {
		return errors.New("write the namespace of the Issuer too: the record differs for each")
	}
	target, err := z.Target(f.Scope, name)
	if err != nil {
		return err
	}
	f.ASCII, f.Wildcard = name, strings.HasPrefix(f.Domain, "*.")
	if u := zone.Unicode(name); u != name {
		f.Unicode = u
	}
	f.Record = check.Record{Name: zone.ChallengeName(name), Type: "CNAME", Value: target}
	f.YAML = f.manifest(issuerName(s, f.Kind, f.Scope), f.Kind == "Issuer" || s.Strict)
	return nil
}

// manifest is the Certificate, with its namespace if that is known. All names in it are made of letters that YAML
// has no use for, or quoted.
func (f *form) manifest(issuer string, namespaced bool) string {
	var b strings.Builder
	object := strings.Trim(strings.NewReplacer(".", "-", "_", "-").Replace(f.ASCII), "-")
	b.WriteString("apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n")
	fmt.Fprintf(&b, "  name: %s\n", scalar(object))
	if namespaced {
		fmt.Fprintf(&b, "  namespace: %s\n", scalar(f.Scope))
	}
	fmt.Fprintf(&b, "spec:\n  secretName: %s-tls\n  dnsNames:\n", object)
	if f.Wildcard {
		fmt.Fprintf(&b, "    - %q\n", "*."+f.ASCII)
	}
	fmt.Fprintf(&b, "    - %q\n", f.ASCII)
	fmt.Fprintf(&b, "  issuerRef:\n    kind: %s\n", f.Kind)
	if issuer == "" {
		fmt.Fprintf(&b, "    name: signpost # the name of your %s\n", f.Kind)
	} else {
		fmt.Fprintf(&b, "    name: %s\n", scalar(issuer))
	}
	return b.String()
}

// issuerName finds an Issuer that other certificates of the scope use already.
func issuerName(s Status, kind, scope string) string {
	for _, d := range s.Domains {
		for _, c := range d.Certificates {
			if k, name, _ := strings.Cut(c.Issuer, "/"); d.Scope == scope && k == kind {
				return name
			}
		}
	}
	return ""
}

// scalar quotes what YAML might not take for a string, such as 1e3 or true.
func scalar(s string) string {
	if plainScalar.MatchString(s) && !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}, s) {
		return s
	}
	return strconv.Quote(s)
}

var plainScalar = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)

func shorten(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}
