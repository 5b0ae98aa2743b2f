package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

const (
	resolvConf   = "/etc/resolv.conf"
	maxResolvers = 3    // as the C library has it
	ednsSize     = 1232 // what the CAs' resolvers say, and what passes everywhere
)

// silence is the error of a question that no resolver has answered.
type silence struct {
	tries    []string // what each resolver did instead
	servfail bool     // one of them said SERVFAIL, which may be DNSSEC
}

func (s *silence) Error() string { return strings.Join(s.tries, "; ") }

var (
	errNoAnswer = errors.New("did not answer")
	errRefused  = errors.New("could not be reached, connection refused")
	errNoRoute  = errors.New("could not be reached from here, no route")
	errNetwork  = errors.New("could not be reached")
)

// stable returns the error of an exchange in words that do not change from one
// try to the next: net's own have the local port in them.
func stable(err error) error {
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return errNoRoute
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &netErr) && netErr.Timeout():
		return errNoAnswer
	}
	return errNetwork
}

// resolvers returns those to ask.
func (c *Checker) resolvers() []string {
	if len(c.Resolvers) > 0 {
		return c.Resolvers
	}
	c.system.once.Do(func() {
		c.system.list = []string{"127.0.0.1:53"}
		if config, err := dns.ClientConfigFromFile(resolvConf); err == nil && len(config.Servers) > 0 {
			c.system.list = nil
			for _, s := range config.Servers[:min(len(config.Servers), maxResolvers)] {
				c.system.list = append(c.system.list, net.JoinHostPort(s, config.Port))
			}
		}
	})
	return c.system.list
}

// asker asks for the records of one type at a name. An answer is NOERROR or
// NXDOMAIN; everything else is an error.
type asker func(ctx context.Context, name string, qtype uint16) (*dns.Msg, error)

// ask asks the resolvers in turn, over UDP, until one answers NOERROR or NXDOMAIN.
// The error is always a *silence.
func (c *Checker) ask(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	m, _, err := c.resolve(ctx, "udp", c.resolvers(), name, qtype)
	return m, err
}

// resolve is ask for a list of resolvers over a network, and also returns the one
// that answered.
func (c *Checker) resolve(ctx context.Context, network string, resolvers []string, name string, qtype uint16) (*dns.Msg, string, error) {
	q := newQuery(name, qtype)
	said := make([]string, len(resolvers)) // what those say that we need not ask again
	var s silence
	for range 2 { // all once before any of them twice, so that a dead one costs little
		for i, resolver := range resolvers {
			if said[i] != "" {
				continue
			}
			m, err := c.ask1(ctx, network, resolver, q)
			switch {
			case errors.Is(err, errNoAnswer):
			case err != nil:
				said[i] = err.Error()
			case !tells(m):
				s.servfail = s.servfail || m.Rcode == dns.RcodeServerFailure
				said[i] = fmt.Sprintf("answered %s for %s %s", rcode(m), plain(name), dns.TypeToString[qtype])
			default:
				return m, resolver, nil
			}
		}
	}
	for i, resolver := range resolvers {
		if said[i] == "" {
			said[i] = errNoAnswer.Error()
		}
		s.tries = append(s.tries, "resolver "+resolver+" "+said[i])
	}
	return nil, "", &s
}

// tells reports whether an answer is one: NOERROR (with data, or NODATA) or NXDOMAIN.
func tells(m *dns.Msg) bool { return m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError }

// askServer asks an authoritative server.
func (c *Checker) askServer(ctx context.Context, addr netip.Addr, name string, qtype uint16) (*dns.Msg, error) {
	q := newQuery(name, qtype)
	q.RecursionDesired = false
	return c.exchange(ctx, c.at(addr), q)
}

// at returns address:port of the authoritative server at addr.
func (c *Checker) at(addr netip.Addr) string {
	port := c.Port
	if port == 0 {
		port = 53
	}
	return net.JoinHostPort(addr.String(), strconv.Itoa(int(port)))
}

// exchange is ask1, a second time if there was no answer.
func (c *Checker) exchange(ctx context.Context, address string, q *dns.Msg) (*dns.Msg, error) {
	m, err := c.ask1(ctx, "udp", address, q)
	if errors.Is(err, errNoAnswer) && ctx.Err() == nil {
		return c.ask1(ctx, "udp", address, q)
	}
	return m, err
}

// ask1 asks over a network, and over TCP if the answer was cut.
func (c *Checker) ask1(ctx context.Context, network, address string, q *dns.Msg) (*dns.Msg, error) {
	m, err := c.once(ctx, network, address, q)
	if err == nil && m.Truncated {
		return c.once(ctx, "tcp", address, q)
	}
	return m, err
}

// once sends q once. The error does not change from one try to the next.
func (c *Checker) once(ctx context.Context, network, address string, q *dns.Msg) (*dns.Msg, error) {
	return c.onceWithin(ctx, network, address, q, c.timeout())
}

func (c *Checker) onceWithin(ctx context.Context, network, address string, q *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	client := &dns.Client{Net: network, Timeout: timeout, UDPSize: dns.MaxMsgSize}
	var m *dns.Msg
	var err error
	switch server, parsed := netip.ParseAddrPort(address); {
	case network == "tcp":
		m, err = c.connections.exchange(ctx, client, q, address)
	case parsed == nil:
		m, err = exchangeUDP(ctx, client, q, server)
	default: // a resolver by its name
		m, _, err = client.ExchangeContext(ctx, q, address)
	}
	if err != nil {
		return nil, stable(err)
	}
	if len(m.Question) != 1 || !strings.EqualFold(m.Question[0].Name, q.Question[0].Name) || m.Question[0].Qtype != q.Question[0].Qtype {
		return nil, errors.New("answered another question")
	}
	return m, nil
}

// exchangeUDP is client.ExchangeContext for an address, from a port of its own likewise.
// Connecting a UDP socket waits for nothing, so that it needs none of what dialling does
// besides: of hundreds of questions a second that costs as much as the questions.
func exchangeUDP(ctx context.Context, client *dns.Client, q *dns.Msg, server netip.AddrPort) (*dns.Msg, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	m, _, err := client.ExchangeWithConnContext(ctx, q, &dns.Conn{Conn: conn})
	return m, err
}

func newQuery(name string, qtype uint16) *dns.Msg {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	q.SetEdns0(ednsSize, false)
	return q
}

// find returns the records of one type that are at name itself.
func find[T dns.RR](section []dns.RR, name string) (out []T) {
	for _, rr := range section {
		if r, ok := rr.(T); ok && plain(rr.Header().Name) == name {
			out = append(out, r)
		}
	}
	return out
}

// plain returns a name in lower case without its final dot.
func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func rcode(m *dns.Msg) string {
	if s, ok := dns.RcodeToString[m.Rcode]; ok {
		return s
	}
	return "RCODE" + strconv.Itoa(m.Rcode)
}

// sorted joins a set in an order that does not change.
func sorted(list []string) string {
	list = slices.Clone(list)
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ")
}
