package solver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// serverTimeout is how long one of our own DNS servers may take to answer.
const serverTimeout = 500 * time.Millisecond

// DNSServes implements Serves: it asks the DNS server at address (host:port) over
// UDP, and over TCP where that is truncated, whether value is among the TXT records
// at name. The error says why that is unknown: no answer, or one that is not
// authoritative.
func DNSServes(ctx context.Context, address, name, value string) (bool, error) {
	q := question(name)
	m, err := exchange(ctx, "udp", q, address)
	if err == nil && m.Truncated {
		m, err = exchange(ctx, "tcp", q, address)
	}
	switch {
	case err != nil:
		return false, fmt.Errorf("DNS server %s: %w", address, err)
	case m.Rcode != dns.RcodeSuccess:
		return false, fmt.Errorf("DNS server %s: answers %s", address, dns.RcodeToString[m.Rcode])
	case !m.Authoritative:
		return false, fmt.Errorf("DNS server %s: is not authoritative for %s", address, name)
	}
	return hasTXT(m, value), nil
}

func question(name string) *dns.Msg {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), dns.TypeTXT)
	q.RecursionDesired = false
	q.SetEdns0(dns.DefaultMsgSize, false)
	return q
}

func hasTXT(m *dns.Msg, value string) bool {
	return slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
		txt, ok := rr.(*dns.TXT)
		return ok && strings.Join(txt.Txt, "") == value
	})
}

func exchange(ctx context.Context, network string, q *dns.Msg, address string) (*dns.Msg, error) {
	c := &dns.Client{Net: network, Timeout: serverTimeout}
	m, _, err := c.ExchangeContext(ctx, q, address)
	return m, err
}
