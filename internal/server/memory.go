package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
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

const (
	returnInterval = time.Minute
	spare          = 6 << 20   // octets that are kept for what comes next
	large          = 128 << 20 // in use: there giving back would cost more than it brings
)

// returnMemory gives back to the system what Go keeps after a burst, such as the first
// reading of a cluster with thousands of Certificates, until ctx is done.
func returnMemory(ctx context.Context) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	ticker := time.NewTicker(returnInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(samples)
		if free, used := samples[0].Value.Uint64(), samples[1].Value.Uint64(); free > spare && used < large {
			debug.FreeOSMemory()
		}
	}
}
