package dnsserve

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// describe prints an answer much as dig does, without what differs every time.
func describe(t *testing.T, raw []byte) string {
	t.Helper()
	if len(raw) == 0 {
		return "(silence)\n"
	}
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		t.Fatalf("the answer cannot be read: %v\n%x", err, raw)
	}
	var b strings.Builder
	flags := ""
	for _, f := range []struct {
		set  bool
		name string
	}{{m.Response, "qr"}, {m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionDesired, "rd"},
		{m.RecursionAvailable, "ra"}, {m.Zero, "z"}, {m.AuthenticatedData, "ad"}, {m.CheckingDisabled, "cd"}} {
		if f.set {
			flags += " " + f.name
		}
	}
	fmt.Fprintf(&b, ";; %s %s, flags:%s, %d octets\n", dns.OpcodeToString[m.Opcode], rcodeName(m.Rcode), flags, len(raw))
	for _, q := range m.Question {
		fmt.Fprintf(&b, ";%s %s %s\n", q.Name, dns.Class(q.Qclass), dns.Type(q.Qtype))
	}
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if opt, ok := rr.(*dns.OPT); ok {
				describeOPT(&b, opt)
				continue
			}
			fmt.Fprintf(&b, "%s %s\n", [3]string{"answer", "authority", "additional"}[i], strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	return b.String()
}

func describeOPT(b *strings.Builder, opt *dns.OPT) {
	fmt.Fprintf(b, "opt version %d, flags %04x, udp %d", opt.Version(), opt.Hdr.Ttl&0xffff, opt.UDPSize())
	for _, o := range opt.Option {
		switch o := o.(type) {
		case *dns.EDNS0_COOKIE:
			fmt.Fprintf(b, ", cookie %s… of %d octets", o.Cookie[:16], len(o.Cookie)/2)
		case *dns.EDNS0_NSID:
			id, _ := hex.DecodeString(o.Nsid)
			fmt.Fprintf(b, ", nsid %s", id)
		default:
			fmt.Fprintf(b, ", option %d %s", o.Option(), o)
		}
	}
	b.WriteString("\n")
}
