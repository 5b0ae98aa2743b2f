package server

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage there may be for a hundred octets that are in use. What
// is in use grows with the Certificates in the cluster, and garbage is made slowly: the
// DNS server makes none. make bench PARTS=domains measures it.
const gcPercent = 25

// collectSooner makes Go's garbage collector do so, unless GOGC says otherwise.
func collectSooner() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
