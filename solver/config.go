package solver

import (
	"fmt"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/json"
)

// config is the solver's part of an Issuer, webhook.config. It has no settings
// so far: everything is decided by the zone and the Issuer's namespace.
type config struct{}

// checkConfig refuses a config that is not an object, or has a field that does
// not exist: a misspelt setting must not be passed over.
func checkConfig(raw *apiextensionsv1.JSON) error {
	if raw == nil || len(raw.Raw) == 0 || string(raw.Raw) == "null" {
		return nil
	}
	var c config
	strict, err := json.UnmarshalStrict(raw.Raw, &c)
	if err != nil {
		return fmt.Errorf("webhook.config of the Issuer's solver is not an object; leave it out")
	}
	if len(strict) > 0 {
		var names []string
		for _, e := range strict {
			names = append(names, e.Error())
		}
		return fmt.Errorf("webhook.config of the Issuer's solver: %s; Signpost has no such setting, remove it", strings.Join(names, ", "))
	}
	return nil
}
