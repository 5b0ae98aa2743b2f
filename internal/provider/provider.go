// Package provider knows DNS providers: which nameservers are whose, what their forms
// call the fields of a record, and in which form they want it. It asks nobody. The data
// is in providers.yaml, the sentences in text/<language>.yaml. It may import
// internal/zone; its proof is provider_test.go and steps_test.go.
package provider

import (
	_ "embed"
	"fmt"

	"sigs.k8s.io/yaml"
)

// How a form wants the name of a record.
const (
	Relative = "relative" // the provider appends the domain
	Full     = "full"     // the whole name
)

// Provider is a DNS provider. What is not known of it is empty.
type Provider struct {
	ID          string   `json:"id"`          // stable
	Name        string   `json:"name"`        // as people know it
	Nameservers []string `json:"nameservers"` // patterns, see Recognise
	Form        Form     `json:"form"`
	Typed       string   `json:"typed"` // Relative, Full, or "" if it is not known
	Dot         bool     `json:"dot"`   // the value has to end in a dot, or the domain is appended to it
	Proxy       Proxy    `json:"proxy"`
	Docs        string   `json:"docs"`    // URL of its page on adding records
	Sources     []string `json:"sources"` // keys of the data's sources
	Read        string   `json:"read"`    // when, as 2006-01-02
}

// Form is what a provider's form calls the fields of a CNAME record, in its own words.
type Form struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Proxy is the switch that makes a provider answer with its own addresses, in its own
// words.
type Proxy struct {
	Switch   string `json:"switch"`
	Position string `json:"position"` // the one in which the record is served as it is
}

type data struct {
	Sources   map[string]string `json:"sources"`
	Providers []Provider        `json:"providers"`
}

//go:embed providers.yaml
var file []byte

var known = mustParse(file)

func mustParse(b []byte) data {
	d, err := parse(b)
	if err != nil {
		panic("providers.yaml: " + err.Error()) // a test parses it
	}
	return d
}

func parse(b []byte) (d data, err error) {
	if err := yaml.UnmarshalStrict(b, &d); err != nil {
		return data{}, err
	}
	for _, p := range d.Providers {
		switch p.Typed {
		case "", Relative, Full:
		default:
			return data{}, fmt.Errorf("%s: typed: %q", p.ID, p.Typed)
		}
	}
	return d, nil
}

// All returns all providers that are known, in the order of the data.
func All() []Provider { return append([]Provider(nil), known.Providers...) }
