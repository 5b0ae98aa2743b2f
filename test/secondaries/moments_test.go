package secondaries

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// copyOf transfers the whole zone from a server. Wrong is what should not be in it, besides
// values; err is that it was not transferred.
func copyOf(address string) (copied sum, serial uint32, wrong, err error) {
	transfer := &dns.Transfer{ReadTimeout: 5 * time.Second}
	envelopes, err := transfer.In(new(dns.Msg).SetAxfr(origin+"."), address)
	if err != nil {
		return copied, 0, nil, err
	}
	soas, nameservers, version := 0, 0, ""
	for e := range envelopes {
		if e.Error != nil {
			err = e.Error // and it is read to its end
		}
		for _, rr := range e.RR {
			switch rr := rr.(type) {
			case *dns.SOA:
				if soas++; soas == 2 && rr.Serial != serial {
					wrong = fmt.Errorf("it begins with the serial %d and ends with %d", serial, rr.Serial)
				}
				serial = rr.Serial
			case *dns.NS:
				nameservers++
			case *dns.TXT:
				if strings.EqualFold(rr.Hdr.Name, "_serial."+origin+".") {
					version = strings.Join(rr.Txt, "")
					continue
				}
				copied.add(strings.TrimSuffix(strings.ToLower(rr.Hdr.Name), "."+origin+"."), strings.Join(rr.Txt, ""), 1)
				if rr.Hdr.Ttl != 0 {
					wrong = fmt.Errorf("a TTL of %d", rr.Hdr.Ttl)
				}
			default:
				wrong = fmt.Errorf("nobody has put this there: %s", rr)
			}
		}
	}
	if wrong == nil && (soas != 2 || nameservers != 1) {
		wrong = fmt.Errorf("%d SOA and %d NS records", soas, nameservers)
	}
	if n, bad := strconv.ParseUint(version, 10, 32); wrong == nil && (bad != nil || zone.SerialLess(uint32(n), serial)) { // PowerDNS reads it after the SOA
		wrong = fmt.Errorf("the record with the serial is %q, and that of the SOA %d", version, serial)
	}
	return copied, serial, wrong, err
}

// sampling lets this machine transfer the zone from the secondary: what stands in a recipe,
// and what a test puts there instead.
var sampling = map[string][]string{
	"NSD": {"    allow-notify: ::/0 transfer\n", "    allow-notify: ::/0 transfer\n    provide-xfr: 127.0.0.1 NOKEY\n"},
	"Knot DNS": {
		"\nacl:\n", "\nacl:\n  - id: sampling\n    address: 127.0.0.1\n    action: transfer\n",
		"    acl: signpost-notify\n", "    acl: [signpost-notify, sampling]\n",
	},
	"BIND":     {"    allow-notify { key transfer; };\n", "    allow-notify { key transfer; };\n    allow-transfer { 127.0.0.1; };\n"},
	"PowerDNS": {"xfr-cycle-interval=1\n", "xfr-cycle-interval=1\nallow-axfr-ips=127.0.0.1\n"},
}

// withSampling lets this machine transfer the zone from the secondary.
func withSampling(t *testing.T, k kind) kind {
	plain, lines := k.Prepare, sampling[k.Heading]
	k.Prepare = func(dir string, at netip.AddrPort, blocks []string) ([]string, error) {
		for pair := range slices.Chunk(lines, 2) {
			if !strings.Contains(blocks[0], pair[0]) {
				t.Errorf("the recipe has no %q", pair[0])
			}
		}
		blocks = slices.Clone(blocks)
		blocks[0] = strings.NewReplacer(lines...).Replace(blocks[0])
		return plain(dir, at, blocks)
	}
	return k
}

// moments transfers the zone from the secondary again and again, until ctx is done, and compares
// each copy with the history. Promised has the marker's value that was seen at the
// secondary last.
func moments(ctx context.Context, t *testing.T, s *secondary, h *history, promised *atomic.Int64) {
	t.Helper()
	serials, failed := map[uint32]bool{}, 0
	for ; ctx.Err() == nil; time.Sleep(150 * time.Millisecond) {
		want := ""
		if n := promised.Load(); n > 0 {
			want = fmt.Sprint(n)
		}
		time.Sleep(s.overlap())
		copied, serial, wrong, err := copyOf(s.address())
		if err != nil { // NSD resets connections when it reloads
			failed++
			continue
		}
		newest := serial
		if s.Heading == "PowerDNS" { // reads the serial first, and not in one transaction
			newest = soa(s.address())
		}
		for end := time.Now().Add(10 * time.Second); !h.knows(newest) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if err := cmp.Or(wrong, h.check(copied, serial, newest, want)); err != nil {
			t.Error(err)
		}
		serials[serial] = true
	}
	t.Logf("%s: %d different copies, each as the zone was; %d transfers failed", s.Heading, len(serials), failed)
	if len(serials) < 5 {
		t.Errorf("only %d different copies; %d transfers failed", len(serials), failed)
	}
}
