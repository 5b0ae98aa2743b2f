package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/status"
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
	Record         zone.Record
	Issuers        []string // names of those that are known, of Kind and for Scope
	Issuer         string   // the one that was chosen, "" if none is known
	YAML           string
	Command        string // applies it with the rights of whoever runs it
}

// newForm answers a query. What it cannot answer it says in Error.
func newForm(z *zone.Zone, s status.Snapshot, query url.Values) form {
	f := form{Shown: z != nil, Sent: query.Has("domain"), Namespace: strings.TrimSpace(query.Get("namespace"))}
	f.Domain = strings.TrimSpace(query.Get("domain"))
	if !f.Shown || !f.Sent || f.Domain == "" && !query.Has("namespace") { // the page without reloading
		f.Sent = false
		return f
	}
	if err := f.answer(z, s, query.Get("issuer")); err != nil {
		f.Error = err.Error()
	}
	return f
}

func (f *form) answer(z *zone.Zone, s status.Snapshot, issuer string) error {
	if f.Domain == "" {
		return errors.New("write a domain, for example *.example.com")
	}
	if strings.ContainsAny(f.Domain, "/:@") {
		return fmt.Errorf("%q: write only the name, without https://, port or path, for example *.example.com", shorten(f.Domain))
	}
	if _, err := zone.Domain(f.Domain); err != nil {
		return err
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
	target, err := z.Target(f.Scope, f.Domain)
	if err != nil {
		return err
	}
	f.ASCII, f.Wildcard, f.Record = target.Domain, zone.IsWildcard(f.Domain), target.Record()
	if u := zone.Unicode(f.ASCII); u != f.ASCII {
		f.Unicode = u
	}
	f.Issuers = issuerNames(s, f.Kind, f.Scope)
	switch {
	case slices.Contains(f.Issuers, issuer):
		f.Issuer = issuer
	case len(f.Issuers) > 0:
		f.Issuer = f.Issuers[0]
	}
	f.YAML, err = f.manifest(f.Issuer, f.Kind == "Issuer" || s.Strict)
	f.Command = command(f.YAML)
	return err
}

// command is what applies a manifest in a shell. The quoted delimiter keeps the shell
// from looking at the text, and no line of a manifest of ours is the delimiter: names
// have been checked, and YAML indents the lines of a text.
func command(manifest string) string {
	return "kubectl apply -f - <<'END'\n" + manifest + "END\n"
}

// manifest is the Certificate, with its namespace if that is known.
func (f *form) manifest(issuer string, namespaced bool) (string, error) {
	dnsNames := []string{f.ASCII}
	if f.Wildcard {
		dnsNames = []string{"*." + f.ASCII, f.ASCII}
	}
	name := cluster.CertificateName(dnsNames[0])
	metadata := map[string]any{"name": name}
	if namespaced {
		metadata["namespace"] = f.Scope
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata,
		"spec": map[string]any{"dnsNames": dnsNames, "secretName": name,
			"issuerRef": map[string]any{"kind": f.Kind, "name": cmp.Or(issuer, "signpost")}},
	})
	if issuer == "" {
		return fmt.Sprintf("# issuerRef.name: the name of your %s\n%s", f.Kind, text), err
	}
	return string(text), err
}

// issuerNames are the Issuers that other certificates of the scope use already. What
// Kubernetes would not take as a name is none.
func issuerNames(s status.Snapshot, kind, scope string) (out []string) {
	for _, d := range s.Domains {
		for _, c := range d.Certificates {
			k, name, _ := strings.Cut(c.Issuer, "/")
			if d.Scope == scope && k == kind && len(validation.IsDNS1123Subdomain(name)) == 0 {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}
