// Package dnsserve is the authoritative DNS server of a Signpost zone: it
// answers a CA's question for a challenge's TXT record from memory.
//
// Four kinds of names exist in the zone: the apex with SOA and NS, the
// nameservers' names with their addresses, the empty non-terminals above those,
// and target names (<uuid>.<zone>), which all exist, with TXT records or
// without: a resolver that asks a second before the challenge is presented must
// not cache an NXDOMAIN. Everything else in the zone is NXDOMAIN, everything
// outside it REFUSED.
package dnsserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Records is where the values of target names come from. It is asked for every
// query, from many goroutines at once, and must answer at once.
type Records interface {
	// Lookup returns the TXT values under id, and what Prepare has made of them, nil
	// if it was not called. Without values the answer is NODATA if complete is true,
	// and SERVFAIL, because nobody knows, if it is false.
	Lookup(id uuid.UUID) (values []string, prepared []byte, complete bool)
}

// Config says what to serve and where.
type Config struct {
	Zone        *zone.Zone
	Nameservers []zone.Nameserver // at least one; the first is the SOA's MNAME
	Records     Records

	// Listen lists host:port pairs. An empty host means all addresses, IPv4 and
	// IPv6; port 0 any free one. Each is bound for UDP and for TCP.
	Listen []string

	// Transfers says who may transfer the zone. Nil: nobody.
	Transfers *Transfers

	// Asked, if not nil, is told of every answer with values, and to whom it went.
	// It must return at once.
	Asked func(id uuid.UUID, client netip.Addr)

	// Identity is what this replica calls itself when asked with NSID (RFC 5001).
	Identity string

	// MaxConnections bounds the TCP connections of each listener; the one that
	// has been silent for longest gives way to a new one. 0 means 1000.
	MaxConnections int

	// MaxConnectionsPerClient bounds those of one IPv4 address or IPv6 /64, in the
	// same way. 0 means 100: a CA has a few vantage points, each with a few connections.
	MaxConnectionsPerClient int

	Log *slog.Logger
}

// drainTime is how long TCP clients get to take their last answers.
const drainTime = 2 * time.Second

// Server is bound to its sockets, and answers while Run runs.
type Server struct {
	responder
	config Config
	udp    []*udpSocket
	tcp    []*tcpListener
	tls    []*tcpListener // for zone transfers
}

// Listen binds every address, for UDP and TCP, and returns a Server that does
// not answer yet. The error names the address that could not be bound.
func Listen(config Config) (*Server, error) {
	if config.Zone == nil || config.Records == nil || len(config.Nameservers) == 0 || len(config.Listen) == 0 {
		return nil, errors.New("dnsserve: zone, nameservers, records and an address to listen on are needed")
	}
	if config.MaxConnections == 0 {
		config.MaxConnections = 1000
	}
	if config.MaxConnectionsPerClient == 0 {
		config.MaxConnectionsPerClient = 100
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{config: config}
	if err := s.init(config); err != nil {
		return nil, err
	}
	for _, address := range config.Listen {
		if err := s.bind(address); err != nil {
			s.close()
			return nil, err
		}
	}
	if err := s.bindTLS(config.Transfers); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// Addrs returns the bound addresses, in the order of Config.Listen; with an
// empty host, IPv4 first.
func (s *Server) Addrs() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, l := range s.tcp {
		addrs = append(addrs, l.addr())
	}
	return addrs
}

// Threads returns how many operating system threads Run keeps busy with UDP.
func (s *Server) Threads() int { return len(s.udp) }

// Run answers queries until ctx is done; then it takes no more, finishes those
// that it has, and closes the sockets. It returns an error only if a socket
// failed. It can be called once.
func (s *Server) Run(ctx context.Context) error {
	errs := make(chan error, len(s.udp)+len(s.tcp)+len(s.tls))
	listeners := slices.Concat(s.tcp, s.tls)
	var wg sync.WaitGroup
	for _, u := range s.udp {
		wg.Go(func() { errs <- u.serve(&s.responder) })
	}
	for _, l := range listeners {
		wg.Go(func() { errs <- l.serve(&s.responder) })
	}
	notifying, stopNotifying := context.WithCancel(ctx)
	defer stopNotifying()
	if s.transfers != nil {
		wg.Go(func() { s.transfers.notify(notifying) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	for _, u := range s.udp {
		u.stop()
	}
	for _, l := range listeners {
		l.stop()
	}
	stopNotifying()
	wg.Wait()
	s.close()
	if err != nil {
		return fmt.Errorf("DNS server: %w", err)
	}
	return nil
}

func (s *Server) close() {
	for _, u := range s.udp {
		u.close()
	}
	for _, l := range slices.Concat(s.tcp, s.tls) {
		l.listener.Close()
	}
}
