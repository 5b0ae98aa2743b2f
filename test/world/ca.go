package world

import (
	"crypto/x509/pkix"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/signpost-acme/signpost/test/process"
)

// DirectoryURL is where ACME clients begin (RFC 8555 section 7.1.1).
const DirectoryURL = "https://" + CAAddress + ":14000/dir"

// newCA writes the configuration of Pebble, which validates through the resolver.
func newCA(dir, bin string, a *authority) (*process.Process, error) {
	cert, key, err := a.issue("pebble", pkix.Name{CommonName: "pebble"}, CAAddress)
	if err != nil {
		return nil, err
	}
	conf, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress":           CAAddress + ":14000",
		"managementListenAddress": CAAddress + ":15000",
		"certificate":             cert,
		"privateKey":              key,
		"httpPort":                80,
		"tlsPort":                 443,
		"retryAfter":              map[string]int{"authz": 1, "order": 1},
		"profiles":                map[string]any{"default": map[string]any{"description": "as usual", "validityPeriod": 7776000}},
	}})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "pebble.json")
	return &process.Process{
		Name: "pebble", Dir: dir,
		Args: []string{bin, "-config", file, "-dnsserver", ResolverAddress + ":53"},
		Env:  []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0"},
	}, os.WriteFile(file, conf, 0o600)
}
