package dnsserve

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// sight is what a look at a secondary has shown.
type sight int

const (
	unseen  sight = iota // it has not answered, or there is a newer version meanwhile
	behind               // it has an older version
	current              // it has the version that was looked for, or a newer one
)

// look asks all addresses at which the secondary answers whether they have a version.
func (n *notifier) look(ctx context.Context, serial uint32) sight {
	if now, _ := n.Versions.Serial(); now != serial || ctx.Err() != nil {
		return unseen
	}
	seen := make([]sight, len(n.follows))
	var wg sync.WaitGroup
	for i, server := range n.follows {
		wg.Go(func() {
			if has, ok := n.versionAt(ctx, server); ok && zone.SerialLess(has, serial) {
				seen[i] = behind
			} else if ok {
				seen[i] = current
			}
		})
	}
	wg.Wait()
	worst := current
	for _, s := range seen {
		if s == behind {
			return behind
		}
		worst = min(worst, s)
	}
	return worst
}

// versionAt returns the serial of the version that a secondary has: by the TXT record that it
// hands on as it is, since one that signs has serials of its own in the SOA.
func (n *notifier) versionAt(ctx context.Context, server netip.AddrPort) (serial uint32, ok bool) {
	m := new(dns.Msg).SetQuestion(n.serialName, dns.TypeTXT)
	m.RecursionDesired = false
	answer, err := n.exchange(ctx, server, m, firstWait, nil)
	if err != nil || len(answer.Answer) == 0 {
		return 0, false
	}
	txt, isTXT := answer.Answer[0].(*dns.TXT)
	if !isTXT {
		return 0, false
	}
	serial, err = zone.ParseSerial(txt.Txt)
	return serial, err == nil
}

// behindFor returns for how long the secondary has been seen behind the current version.
func (n *notifier) behindFor(now time.Time) time.Duration {
	if since := n.lags.Load(); since > 0 {
		return now.Sub(time.Unix(0, since))
	}
	return 0
}
