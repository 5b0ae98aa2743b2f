package check

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"github.com/signpost-acme/signpost/internal/zone"
)

// primary returns the serial of the primary's current version; known is false if it
// cannot be told. The findings are about each address that was asked.
func (c *Checker) primary(ctx context.Context) (out []Finding, serial uint32, known bool) {
	if c.Serial != nil {
		if serial, known = c.Serial(); known {
			return nil, serial, true
		}
	}
	serials, errs := make([]uint32, len(c.Primaries)), make([]error, len(c.Primaries))
	var wg sync.WaitGroup
	for i, at := range c.Primaries {
		wg.Go(func() { serials[i], errs[i] = c.versionAt(ctx, at.String()) })
	}
	wg.Wait()
	for i, at := range c.Primaries {
		out = append(out, c.judgePrimary(at, serials[i], errs[i]))
		if errs[i] == nil && (!known || zone.SerialLess(serial, serials[i])) {
			serial, known = serials[i], true
		}
	}
	return out, serial, known
}

func (c *Checker) judgePrimary(at netip.AddrPort, serial uint32, err error) Finding {
	f := Finding{Check: primaryFine, Subject: "Signpost (" + serverText(at) + ")", Status: OK, Wanted: "a version of " + c.Zone.Origin(), Seen: fmt.Sprintf("has version %d", serial)}
	switch {
	case err == nil:
	case isSilence(err):
		f.Check, f.Status, f.Seen = primarySilent, Failed, err.Error()
		f.Hint = fmt.Sprintf("Start Signpost, or let port %d of %s through from here, or give --primary another address.", at.Port(), at.Addr())
	default:
		f.Check, f.Status, f.Seen = primaryUnknown, Failed, err.Error()
		f.Hint = fmt.Sprintf("Give --primary an address of Signpost, and Signpost the --secondary settings and its Redis: it has no record %s TXT there.", c.Zone.SerialName())
	}
	return f
}

// serverText writes an address, with its port where that is not 53.
func serverText(at netip.AddrPort) string {
	if at.Port() == 53 {
		return at.Addr().String()
	}
	return at.String()
}
