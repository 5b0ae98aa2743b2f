package faults

import (
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// What a DNS server can say.
const (
	nothing  = "nothing"   // the name is there, and has no such value
	servfail = "SERVFAIL"  // it cannot tell
	silent   = "no answer" // to four queries, each for a second
)

var failures = []string{nothing, servfail, silent}

// ask asks the DNS server at address for the TXT records at name, as a resolver
// does: again when there is no answer, which on a busy machine takes its time. It
// returns the values, or one of the above.
func ask(address, name string) string {
	for range 4 {
		q := new(dns.Msg)
		q.SetQuestion(dns.Fqdn(name), dns.TypeTXT)
		c := dns.Client{Timeout: time.Second}
		m, _, err := c.Exchange(q, address)
		if err != nil {
			time.Sleep(2 * time.Millisecond)
			continue
		}
		if m.Rcode != dns.RcodeSuccess {
			return dns.RcodeToString[m.Rcode]
		}
		var values []string
		for _, rr := range m.Answer {
			if txt, ok := rr.(*dns.TXT); ok {
				values = append(values, strings.Join(txt.Txt, ""))
			}
		}
		if len(values) == 0 {
			return nothing
		}
		slices.Sort(values)
		return strings.Join(values, " ")
	}
	return silent
}

// asked is one query and its answer.
type asked struct {
	replica  int
	name     string
	sent     time.Time
	received time.Time
	answer   string
}

// observer asks every replica for some names, again and again, and keeps what
// they answer.
type observer struct {
	mu   sync.Mutex
	seen []asked
	stop chan struct{}
	wg   sync.WaitGroup
}

// observe asks the replicas for names until end.
func observe(replicas []*replica, names ...string) *observer {
	o := &observer{stop: make(chan struct{})}
	for i, r := range replicas {
		for _, name := range names {
			o.wg.Go(func() {
				for {
					a := asked{replica: i, name: name, sent: time.Now()}
					a.answer = ask(net.JoinHostPort(r.address, "53"), name)
					a.received = time.Now()
					o.mu.Lock()
					o.seen = append(o.seen, a)
					o.mu.Unlock()
					select {
					case <-o.stop:
						return
					case <-time.After(10 * time.Millisecond):
					}
				}
			})
		}
	}
	return o
}

// end stops asking.
func (o *observer) end() {
	close(o.stop)
	o.wg.Wait()
}

// during are the queries that were sent from one moment on and answered before
// another.
func during(from, to time.Time) func(asked) bool {
	return func(a asked) bool { return !a.sent.Before(from) && a.received.Before(to) }
}

// answered are the queries that were sent before one moment and answered from
// another on. One that is repeated until there is an answer may belong to what
// came after it was sent.
func answered(from, sent time.Time) func(asked) bool {
	return func(a asked) bool { return !a.received.Before(from) && a.sent.Before(sent) }
}

// answers returns what was answered for name to the queries wanted, each
// once: values first, then the others in the order in which they are listed above.
func (o *observer) answers(name string, wanted func(asked) bool) (list []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.seen {
		if a.name == name && wanted(a) && !slices.Contains(list, a.answer) {
			list = append(list, a.answer)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return slices.Index(failures, a) - slices.Index(failures, b) })
	return list
}
