package dnsserve

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// How a secondary is told of a change (RFC 1996). What is sent to one address is
// bounded by the pauses, whatever changes and whatever it answers.
const (
	notifyPause = 2 * time.Millisecond   // between two that it has acknowledged: changes within it are told of together
	firstWait   = 100 * time.Millisecond // for the first answer; each further try waits twice as long
	lastWait    = 5 * time.Second        // so that one that is back is told while Present still waits (20 s)

	// followPause is how long a secondary that has acknowledged may take before it is
	// asked whether it has the change, and told again if not; until it has.
	followPause = 500 * time.Millisecond
	lastFollow  = 30 * time.Second // each further one waits twice as long, up to this
)

// notify tells all secondaries of every change until ctx is done.
func (t *transfers) notify(ctx context.Context) {
	var wg sync.WaitGroup
	for _, n := range t.notifiers {
		wg.Go(func() { n.run(ctx) })
	}
	wg.Wait()
}

// notifier tells one address.
type notifier struct {
	*transfers
	secondary zone.Secondary
	server    netip.AddrPort
	follows   []netip.AddrPort // where it can be asked which version it has
	refused   bool             // the last one that was answered

	acknowledged, unanswered atomic.Uint64
	lags                     atomic.Int64 // since when it has not the version that it was told of, in Unix nanoseconds; 0 if it has
}

func newNotifier(t *transfers, s zone.Secondary, server netip.AddrPort) *notifier {
	n := &notifier{transfers: t, secondary: s, server: server, follows: s.Servers}
	if slices.Contains(s.Servers, server) { // its other addresses have notifiers of their own
		n.follows = []netip.AddrPort{server}
	}
	return n
}

// run tells of each version, newest first: one that is out of date is not repeated.
func (n *notifier) run(ctx context.Context) {
	var told uint32
	var has, there bool // told and acknowledged; transferred
	var since time.Time // when it was first told
	wait, follow := firstWait, followPause
	for ctx.Err() == nil {
		changed := n.Versions.Changed()
		serial, known := n.Versions.Serial()
		if !known || has && there && serial == told {
			n.sleep(ctx, 0, changed)
			continue
		}
		if has && serial == told { // acknowledged is not yet transferred
			n.sleep(ctx, follow, changed)
			follow = min(2*follow, lastFollow)
			switch n.look(ctx, serial) {
			case behind:
				n.lags.Store(since.UnixNano())
				has = false
			case current:
				n.lags.Store(0)
				there = true
			}
			continue
		}
		if serial != told {
			wait, follow, there, since = firstWait, followPause, false, time.Now()
			n.lags.Store(0)
		}
		told = serial
		begin := time.Now()
		has = n.tell(ctx, serial, wait, changed)
		if has {
			n.acknowledged.Add(1)
			n.sleep(ctx, notifyPause, nil)
			continue
		}
		n.unanswered.Add(1)
		n.sleep(ctx, 10*notifyPause, nil)
		if early := wait - time.Since(begin); early > 0 { // refused, or nobody is there
			n.sleep(ctx, early, changed)
		}
		wait = min(2*wait, lastWait)
	}
}

// sleep returns after d, for ever if that is 0, when changed is closed, or when ctx is done.
func (n *notifier) sleep(ctx context.Context, d time.Duration, changed <-chan struct{}) {
	var after <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-after:
	}
}

// tell sends one NOTIFY and reports whether it is acknowledged within that time. When
// there is a newer version to tell of it gives up sooner.
func (n *notifier) tell(ctx context.Context, serial uint32, within time.Duration, changed <-chan struct{}) bool {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Id: dns.Id(), Opcode: dns.OpcodeNotify, Authoritative: true}}
	m.Question = []dns.Question{{Name: n.origin, Qtype: dns.TypeSOA, Qclass: dns.ClassINET}}
	// RFC 1996 section 3.7. Without the serial NSD 4.6 takes a transfer that is under way
	// while this comes, and may be of an older version, for what it was told of.
	m.Answer = []dns.RR{n.soa(serial)}
	answer, err := n.exchange(ctx, n.server, m, within, changed)
	if err != nil {
		n.log.Debug("a secondary has not acknowledged a NOTIFY", "secondary", n.secondary.Name, "server", n.server, "serial", serial, "err", err)
		return false
	}
	// NOTIMP is an answer too (RFC 1996 section 3.11): the secondary looks by itself.
	if answer.Rcode == dns.RcodeSuccess || answer.Rcode == dns.RcodeNotImplemented {
		n.refused = false
		return true
	}
	if !n.refused {
		n.log.Warn("a secondary refuses NOTIFY; its settings have to allow it, from the address of this replica or by its key", "secondary", n.secondary.Name, "server", n.server, "rcode", dns.RcodeToString[answer.Rcode])
	}
	n.refused = true
	return false
}

// exchange sends a message over UDP, signed if it goes to where NOTIFY goes and the
// secondary has a key, and returns its answer.
func (n *notifier) exchange(ctx context.Context, server netip.AddrPort, m *dns.Msg, within time.Duration, changed <-chan struct{}) (*dns.Msg, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(within))
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
		case <-ended:
			return
		case <-changed: // time for the answer to this one, which is most likely on its way
			_ = conn.SetDeadline(time.Now().Add(min(within, firstWait)))
			return
		}
		_ = conn.SetDeadline(time.Unix(1, 0))
	}()
	var s *signature
	if server == n.server { // elsewhere its key may not be known
		s = n.signing()
	}
	wire, err := s.request(m)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(wire); err != nil {
		return nil, err
	}
	buf := make([]byte, maxUDPQuery)
	for {
		size, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		answer := &dns.Msg{}
		if answer.Unpack(buf[:size]) != nil || answer.Id != m.Id || !answer.Response || answer.Opcode != m.Opcode {
			continue // of somebody else
		}
		if s == nil || s.check(buf[:size], answer) {
			return answer, nil
		}
	}
}

// signing returns the signature of a request to the secondary, nil if it has no key.
func (n *notifier) signing() *signature {
	for _, name := range n.secondary.Keys {
		for _, k := range n.Keys() {
			if k.Name == name {
				return &signature{key: k, rr: dns.TSIG{Hdr: dns.RR_Header{Name: dns.Fqdn(k.Name)}, Algorithm: k.Algorithm}}
			}
		}
	}
	return nil
}

// request packs a request, signed unless s is nil.
func (s *signature) request(m *dns.Msg) ([]byte, error) {
	if s == nil {
		return m.Pack()
	}
	return s.sign(m, false)
}

// check reports whether an answer to a request is signed as that was.
func (s *signature) check(wire []byte, answer *dns.Msg) bool {
	t := answer.IsTsig()
	return t != nil && strings.EqualFold(t.Hdr.Name, s.rr.Hdr.Name) && dns.CanonicalName(t.Algorithm) == s.key.Algorithm &&
		dns.TsigVerifyWithProvider(wire, provider{s.key}, s.mac, false) == nil
}
