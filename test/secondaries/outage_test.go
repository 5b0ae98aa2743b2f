package secondaries

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/test/process"
)

const (
	outage  = time.Hour // that secondaries go on answering through
	hasting = 150       // times faster than ours are the clocks of programs here: an hour is 24 s
)

// hastened is a program whose clock goes faster, as libfaketime makes it, timeouts
// included. TSIG would not take its times, so it has no key: Signpost and it know each
// other by their addresses.
func hastened(t *testing.T, name string) kind {
	t.Helper()
	_, err := process.Look("faketime")
	must(t, err)
	library, err := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
	must(t, err)
	if len(library) == 0 {
		t.Fatal("libfaketime is not where Debian has it")
	}
	k := kinds[name]
	prepare := k.Prepare
	k.Prepare = func(dir string, at netip.AddrPort, blocks []string) ([]string, error) {
		keyless := map[string]*strings.Replacer{
			"nsd":  strings.NewReplacer(" transfer\n", " NOKEY\n"),
			"knot": strings.NewReplacer("    key: transfer\n    action", "    address: 127.0.0.0/8\n    action", "    key: transfer\n", ""),
		}[name]
		text := keyless.Replace(blocks[0])
		if text == blocks[0] {
			return nil, fmt.Errorf("the recipe has no key to take away: %s", text)
		}
		args, err := prepare(dir, at, []string{text})
		if err != nil || name != "nsd" {
			return args, err
		}
		b, err := os.ReadFile(dir + "/nsd.conf")
		if err != nil {
			return nil, err
		}
		// It says when it has looked, and so what time it has.
		return args, os.WriteFile(dir+"/nsd.conf", []byte(strings.Replace(string(b), "server:\n", "server:\n  verbosity: 3\n", 1)), 0o600)
	}
	k.env = []string{"LD_PRELOAD=" + library[0], fmt.Sprintf("FAKETIME=+0 x%d", hasting)}
	return k
}

// logTime is how NSD and Knot begin a line.
var logTime = regexp.MustCompile(`(?m)^\[?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)`)

// clock returns the time of the last line that the program has written.
func (s *secondary) clock() time.Time {
	b, err := os.ReadFile(s.dir + "/log")
	must(s.t, err)
	found := logTime.FindAllStringSubmatch(string(b), -1)
	if len(found) == 0 {
		return time.Time{}
	}
	last := found[len(found)-1]
	at, err := time.Parse(time.DateTime, last[1]+" "+last[2])
	must(s.t, err)
	return at
}

// has returns nil if the secondary answers with the value, with authority.
func (s *secondary) has(id uuid.UUID, value string) error {
	c := &dns.Client{Timeout: 2 * time.Second}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(id.String()+"."+origin+".", dns.TypeTXT), s.address())
	if err != nil {
		return err
	}
	if len(m.Answer) == 1 && m.Authoritative && m.Rcode == dns.RcodeSuccess && strings.HasSuffix(m.Answer[0].String(), `"`+value+`"`) {
		return nil
	}
	return fmt.Errorf("%s, authoritative %v, %v", dns.RcodeToString[m.Rcode], m.Authoritative, m.Answer)
}

// nextClock is the time of the next line that it writes.
func (s *secondary) nextClock() time.Time {
	s.t.Helper()
	before := s.clock()
	eventually(s.t, 20*time.Second, "it writes what time it has", func() bool { return s.clock().After(before) })
	return s.clock()
}

// RFC 1035 section 3.3.13: for more than an hour of its own time a secondary hears
// nothing of Signpost, and goes on answering; then Signpost is back, and it sees the next
// change.
func TestRFC1035Section3_3_13Outage(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nsd", "knot"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			s := startSecondary(t, hastened(t, name), port)
			redis, settings := redistest.Start(t), "ns1.example.net="+s.address()
			p := startPrimary(t, redis, port, newKeys(docSecret), settings)
			id := uuid.New()
			must(t, p.Add(t.Context(), id, "before the outage"))
			awaits(t, s.address(), id, "before the outage", 30*time.Second)
			p.stop()
			real, began, asked := time.Now(), s.nextClock(), 0
			for ; s.clock().Sub(began) <= outage; asked++ {
				if err := s.has(id, "before the outage"); err != nil {
					t.Fatalf("after %v of its time: %v", s.clock().Sub(began), err)
				}
				if time.Since(real) > time.Minute {
					t.Fatalf("its clock has gone from %v to %v only", began, s.clock())
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Logf("asked %d times in %v of its time, %.0f s of ours", asked, s.clock().Sub(began), time.Since(real).Seconds())
			p = startPrimary(t, redis, port, newKeys(docSecret), settings)
			must(t, p.Add(t.Context(), id, "after the outage"))
			t.Logf("a new value is there after %v", awaits(t, s.address(), id, "after the outage", 20*time.Second))
		})
	}
}

// What would make the test above fail: the same programs, whose zone expires after ten
// minutes, answer no more within the hour. So their clocks count.
func TestRFC1035Section3_3_13Expired(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nsd", "knot"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			stop := startShortLived(t, port)
			s := startSecondary(t, hastened(t, name), port)
			rcode := func() int { _, rcode := values(s.address(), uuid.New()); return rcode }
			for answered := 0; answered < 20; time.Sleep(5 * time.Millisecond) { // NSD's processes of before the transfer answer for a moment
				if answered++; rcode() != dns.RcodeNameError {
					answered = 0
				}
			}
			stop()
			began := s.nextClock()
			eventually(t, 30*time.Second, "it answers SERVFAIL", func() bool { return rcode() == dns.RcodeServerFailure })
			took := s.clock().Sub(began)
			if took < 5*time.Minute || took > outage {
				t.Errorf("it took %v of its time", took)
			}
			t.Logf("SERVFAIL after %v of its time", took)
		})
	}
}

// startShortLived starts a primary whose zone expires after ten minutes.
func startShortLived(t *testing.T, port int) (stop func()) {
	t.Helper()
	rr, err := dns.NewRR(origin + ". 0 IN SOA ns1.example.net. hostmaster.example.net. 1 60 10 600 0")
	must(t, err)
	ns, err := dns.NewRR(origin + ". 0 IN NS ns1.example.net.")
	must(t, err)
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Authoritative, m.Answer = true, []dns.RR{rr}
		if q.Question[0].Qtype != dns.TypeSOA {
			m.Answer = []dns.RR{rr, ns, rr}
		}
		_ = w.WriteMsg(m)
	})
	var servers []*dns.Server
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		s := &dns.Server{Addr: local(port).String(), Net: network, Handler: handler, NotifyStartedFunc: func() { close(started) }}
		go func() { _ = s.ListenAndServe() }()
		<-started
		servers = append(servers, s)
	}
	stop = func() {
		for _, s := range servers {
			_ = s.Shutdown()
		}
	}
	t.Cleanup(stop)
	return stop
}
