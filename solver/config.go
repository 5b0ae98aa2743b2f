package solver

import (
	"fmt"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/json"
)

// config is the solver's part of an Issuer, webhook.config.
type config struct {
	// CheckCNAME turns off the look at the domain's CNAME before a challenge is
	// presented, where this cluster sees another DNS than the CA does.
	CheckCNAME *bool `json:"checkCNAME"`
}

// readConfig refuses a config that is not an object, or has a field that does
// not exist: a misspelt setting must not be passed over.
func readConfig(raw *apiextensionsv1.JSON) (c config, err error) {
	if raw == nil || len(raw.Raw) == 0 || string(raw.Raw) == "null" {
		return c, nil
	}
	strict, err := json.UnmarshalStrict(raw.Raw, &c)
	if err != nil {
		return c, fmt.Errorf(`webhook.config of the Issuer's solver is not an object of Signpost's settings; leave it out, or write {checkCNAME: false}`)
	}
	if len(strict) > 0 {
		var names []string
		for _, e := range strict {
			names = append(names, e.Error())
		}
		return c, fmt.Errorf("webhook.config of the Issuer's solver: %s; Signpost has no such setting, remove it", strings.Join(names, ", "))
	}
	return c, nil
}

// Unchecked reports whether a solver's config turns the look at the CNAME off. One
// that cannot be read does not.
func Unchecked(raw *apiextensionsv1.JSON) bool {
	c, err := readConfig(raw)
	return err == nil && c.CheckCNAME != nil && !*c.CheckCNAME
}
