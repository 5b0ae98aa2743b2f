package dnstest

import (
	"strings"
	"time"

	"github.com/miekg/dns"
)

// resolver asks from the root down (RFC 1034 section 5.3.3). It remembers nothing.
type resolver struct{ w *World }

const maxSteps = 60

func (r *resolver) answer(q *dns.Msg) *dns.Msg {
	m := Reply(q)
	m.RecursionAvailable = true
	steps := maxSteps
	name := q.Question[0].Name
	for {
		got := r.iterate(name, q.Question[0].Qtype, &steps)
		if got == nil {
			m.Rcode, m.Answer = dns.RcodeServerFailure, nil
			return m
		}
		m.Rcode, m.Ns = got.Rcode, got.Ns
		m.Answer = append(m.Answer, got.Answer...)
		target := ""
		for _, rr := range got.Answer {
			if c, ok := rr.(*dns.CNAME); ok && q.Question[0].Qtype != dns.TypeCNAME {
				target = c.Target
			}
			if rr.Header().Rrtype == q.Question[0].Qtype {
				return m
			}
		}
		if target == "" {
			return m
		}
		name = target
	}
}

// iterate follows referrals to an authoritative answer, nil without one.
func (r *resolver) iterate(name string, qtype uint16, steps *int) *dns.Msg {
	servers := []string{RootServer}
	for *steps > 0 {
		got := r.exchange(servers, name, qtype, steps)
		if got == nil || got.Authoritative {
			return got
		}
		servers = nil
		for _, rr := range got.Ns {
			if ns, ok := rr.(*dns.NS); ok {
				servers = append(servers, r.addresses(got, ns.Ns, steps)...)
			}
		}
	}
	return nil
}

func (r *resolver) exchange(servers []string, name string, qtype uint16, steps *int) *dns.Msg {
	for _, server := range servers {
		if *steps--; *steps < 0 {
			return nil
		}
		q := new(dns.Msg).SetQuestion(name, qtype)
		q.RecursionDesired = false
		got, _, err := (&dns.Client{Timeout: time.Second}).Exchange(q, r.w.Addr(server))
		if err == nil && (got.Rcode == dns.RcodeSuccess || got.Rcode == dns.RcodeNameError) {
			return got
		}
	}
	return nil
}

// addresses returns those of a nameserver, from glue or by asking.
func (r *resolver) addresses(m *dns.Msg, host string, steps *int) (out []string) {
	for _, rr := range m.Extra {
		if a, ok := rr.(*dns.A); ok && strings.EqualFold(a.Hdr.Name, host) {
			out = append(out, a.A.String())
		}
	}
	if len(out) > 0 || dns.IsSubDomain(m.Ns[0].Header().Name, host) {
		return out
	}
	if got := r.iterate(host, dns.TypeA, steps); got != nil {
		for _, rr := range got.Answer {
			if a, ok := rr.(*dns.A); ok {
				out = append(out, a.A.String())
			}
		}
	}
	return out
}
