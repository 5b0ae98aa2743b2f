// Package secondaries follows real nameservers that transfer the zone from Signpost,
// each set up from its recipe in docs/secondaries.md.
package secondaries

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/solver"
)

// soa returns the serial that a server answers with, 0 if it does not.
func soa(address string) uint32 {
	c := &dns.Client{Timeout: 500 * time.Millisecond}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(origin+".", dns.TypeSOA), address)
	if err != nil || len(m.Answer) != 1 || !m.Authoritative {
		return 0
	}
	s, ok := m.Answer[0].(*dns.SOA)
	if !ok {
		return 0
	}
	return s.Serial
}

// values returns what a server answers with for a name.
func values(address string, id uuid.UUID) (out []string, rcode int) {
	c := &dns.Client{Timeout: 500 * time.Millisecond}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(id.String()+"."+origin+".", dns.TypeTXT), address)
	if err != nil {
		return nil, -1
	}
	for _, rr := range m.Answer {
		out = append(out, strings.Join(rr.(*dns.TXT).Txt, ""))
	}
	slices.Sort(out)
	return out, m.Rcode
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// awaits waits as Present does, and returns how long that took.
func awaits(t *testing.T, address string, id uuid.UUID, value string, within time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	name := id.String() + "." + origin
	for {
		ok, err := solver.SecondaryServes(t.Context(), address, name, value)
		took := time.Since(begin)
		switch {
		case ok:
			return took
		case took > within:
			t.Fatalf("%s does not answer with %s after %v: %v", address, value, within, err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSecondaries(t *testing.T) {
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			follow(t, k)
		})
	}
}

// names is how many there are before anything happens.
const names = 10_000

// follow leads one kind of secondary through everything that happens to it.
func follow(t *testing.T, k kind) {
	redis := redistest.Start(t)
	redis.Do("EVAL", `for i = 1, ARGV[1] do redis.call("ZADD", string.format("signpost:{`+origin+`}:%08x-0000-4000-8000-000000000000", i), ARGV[2], "one that is there") end return 1`,
		0, names, time.Now().Add(time.Hour).UnixMilli())
	port, keys := freePort(t), newKeys(docSecret)
	s := startSecondary(t, withSampling(t, k), port)
	relay := startRelay(t, s.address()) // through which NOTIFY goes
	settings := fmt.Sprintf("ns1.example.net=%s,notify=%s,key=transfer", s.address(), relay.address)
	p := startPrimary(t, redis, port, keys, settings)
	ctx := t.Context()
	same := func(what string) {
		t.Helper()
		eventually(t, 90*time.Second, what+": the secondary has the primary's version", func() bool {
			serial, _ := p.journal.Serial()
			return serial != 0 && soa(s.address()) == serial
		})
	}
	same("at the start")
	whole := t // what a part starts, and the next goes on with, ends with the whole

	id := uuid.New()
	t.Run("a change is visible", func(t *testing.T) {
		var took []time.Duration
		for i := range 30 {
			must(t, p.Add(ctx, id, fmt.Sprint("value ", i)))
			took = append(took, awaits(t, s.address(), id, fmt.Sprint("value ", i), 20*time.Second))
		}
		slices.Sort(took)
		t.Logf("%s: median %v, of 30 changes the slowest %v", k.Heading, took[len(took)/2], took[len(took)-1])
		if median := took[len(took)/2]; median > k.within {
			t.Errorf("median %v, want at most %v", median, k.within)
		}
	})
	t.Run("RFC 1995: by its difference", func(t *testing.T) {
		if k.Heading == "PowerDNS" {
			return // asks for the whole zone
		}
		if n := p.transfers(t, "ixfr"); n < 5 {
			t.Errorf("%d transfers of changes, %d of the zone", n, p.transfers(t, "axfr"))
		}
	})
	t.Run("a removal is visible", func(t *testing.T) {
		for i := range 30 {
			must(t, p.Remove(ctx, id, fmt.Sprint("value ", i)))
		}
		eventually(t, 30*time.Second, "the name does not exist", func() bool { _, rcode := values(s.address(), id); return rcode == dns.RcodeNameError })
	})
	t.Run("RFC 1996: a NOTIFY that is lost", func(t *testing.T) {
		same("before")
		eventually(t, 30*time.Second, "nothing is told any more", func() bool { return time.Since(time.Unix(0, relay.last.Load())) > 300*time.Millisecond })
		relay.drop.Store(3)
		must(t, p.Add(ctx, id, "after a loss"))
		awaits(t, s.address(), id, "after a loss", 20*time.Second)
		if left := relay.drop.Load(); left > 0 {
			t.Errorf("%d more were to be lost", left)
		}
	})
	t.Run("RFC 1996: a NOTIFY from another address", func(t *testing.T) { fromElsewhere(t, s) })
	t.Run("many changes", func(t *testing.T) { many(t, redis, p, s) })
	t.Run("the primary restarts", func(t *testing.T) {
		p.stop()
		if got, _ := values(s.address(), id); !slices.Equal(got, []string{"after a loss"}) {
			t.Errorf("meanwhile: %q", got)
		}
		p = startPrimary(whole, redis, port, keys, settings)
		must(t, p.Add(ctx, id, "after a restart"))
		awaits(t, s.address(), id, "after a restart", 20*time.Second)
	})
	t.Run("RFC 1982: Redis is emptied", func(t *testing.T) {
		before := soa(s.address())
		redis.Do("FLUSHALL")
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if got, _ := values(s.address(), id); !slices.Equal(got, []string{"after a loss", "after a restart"}) {
				t.Fatalf("meanwhile: %q", got)
			}
		}
		must(t, p.Add(ctx, id, "after a restart")) // one comes back, and the other was removed meanwhile
		must(t, p.Add(ctx, id, "after Redis"))
		awaits(t, s.address(), id, "after Redis", 20*time.Second)
		if got, _ := values(s.address(), id); !slices.Equal(got, []string{"after Redis", "after a restart"}) {
			t.Errorf("in the end: %q", got)
		}
		if after := soa(s.address()); !zone.SerialLess(before, after) {
			t.Errorf("the serial was %d and is %d", before, after)
		}
	})
	t.Run("RFC 8945: the key changes", func(t *testing.T) {
		next := base64.StdEncoding.EncodeToString([]byte("the next secret, of 32 octets..."))
		keys.set(docSecret, next)
		must(t, p.Add(ctx, id, "with both"))
		awaits(t, s.address(), id, "with both", 20*time.Second)
		s.stop()
		s.secret = next
		s.start()
		eventually(t, 20*time.Second, "it is back", func() bool { return soa(s.address()) != 0 })
		keys.set(next)
		must(t, p.Add(ctx, id, "with the new one"))
		awaits(t, s.address(), id, "with the new one", 90*time.Second)
		keys.set(docSecret) // which it has no more
		must(t, p.Add(ctx, id, "with the wrong one"))
		time.Sleep(2 * time.Second)
		if got, _ := values(s.address(), id); slices.Contains(got, "with the wrong one") {
			t.Error("transferred with another key")
		}
		keys.set(next)
		awaits(t, s.address(), id, "with the wrong one", 90*time.Second)
	})
}

// many makes 100 changes a second on top of thousands of names. At every moment that is
// looked at the secondary's copy is what the zone was at its serial, what it answers is never older
// than what was awaited, and in the end it is equal.
func many(t *testing.T, redis *redistest.Server, p *primary, s *secondary) {
	ctx := t.Context()
	marker := uuid.New()
	h := record(t, redis, marker)
	eventually(t, 30*time.Second, "the secondary is where the history begins", func() bool { return h.began(soa(s.address())) })
	var promised, asked atomic.Int64
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { moments(watching, t, s, h, &promised) })
	watchers.Go(func() {
		since := time.Now() // when last was another one
		for last := int64(0); watching.Err() == nil; time.Sleep(5 * time.Millisecond) {
			want := promised.Load()
			begin := time.Now()
			got, rcode := values(s.address(), marker)
			if rcode != dns.RcodeSuccess || len(got) == 0 {
				if want > 0 && rcode >= 0 {
					t.Errorf("the marker is %q, %d, when %d was promised", got, rcode, want)
				}
				continue
			}
			var newest int64
			for _, v := range got {
				var n int64
				_, _ = fmt.Sscan(v, &n)
				newest = max(newest, n)
			}
			if want = max(want, last); newest < want && begin.Sub(since) > s.overlap() {
				t.Errorf("the marker is %d, after %d, when %d was promised", newest, last, want)
			}
			if newest > last {
				last, since = newest, time.Now()
			}
			asked.Add(1)
		}
	})
	var ids []uuid.UUID
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range int64(600) {
		<-tick.C
		id := uuid.New()
		ids = append(ids, id)
		must(t, p.Add(ctx, id, "one of many"))
		if i%50 == 49 {
			must(t, p.Add(ctx, marker, fmt.Sprint(i)))
			awaits(t, s.address(), marker, fmt.Sprint(i), 30*time.Second)
			promised.Store(i)
			must(t, p.Remove(ctx, marker, fmt.Sprint(i-50)))
		}
	}
	stop()
	watchers.Wait()
	if asked.Load() < 50 {
		t.Errorf("only %d looks", asked.Load())
	}
	eventually(t, 60*time.Second, "the same version", func() bool { serial, _ := p.journal.Serial(); return soa(s.address()) == serial })
	_, all, _ := p.journal.Current()
	for id, want := range all {
		if got, _ := values(s.address(), id); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
	if len(all) < names+len(ids) {
		t.Errorf("%d names", len(all))
	}
}

// relay hands packets to a secondary and its answers back, and loses some.
type relay struct {
	address string
	drop    atomic.Int64 // so many more
	last    atomic.Int64 // when a packet came, in Unix nanoseconds
}

func startRelay(t *testing.T, to string) *relay {
	t.Helper()
	in, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { in.Close() })
	r := &relay{address: in.LocalAddr().String()}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := in.ReadFrom(buf)
			if err != nil {
				return
			}
			r.last.Store(time.Now().UnixNano())
			if r.drop.Load() > 0 {
				r.drop.Add(-1)
				continue
			}
			query := slices.Clone(buf[:n])
			go func() {
				out, err := net.Dial("udp", to)
				if err != nil {
					return
				}
				defer out.Close()
				_ = out.SetDeadline(time.Now().Add(2 * time.Second))
				_, _ = out.Write(query)
				answer := make([]byte, 4096)
				if n, err := out.Read(answer); err == nil {
					_, _ = in.WriteTo(answer[:n], from)
				}
			}()
		}
	}()
	return r
}

// A secondary that transfers now from one replica, now from another, while both change
// the zone, never goes back to an older version, and shows what either has promised.
func TestRFC1982SecondaryOfTwoReplicas(t *testing.T) {
	ports := [2]int{freePort(t), freePort(t)}
	k := kinds["nsd"]
	plain := k.Prepare
	k.Prepare = func(dir string, at netip.AddrPort, blocks []string) ([]string, error) {
		line := fmt.Sprintf("    request-xfr: %s transfer\n", k.Primary(local(ports[0])))
		if !strings.Contains(blocks[0], line) {
			t.Fatalf("the recipe has no %q", line)
		}
		return plain(dir, at, []string{strings.ReplaceAll(blocks[0], line, line+strings.ReplaceAll(line, fmt.Sprint(ports[0]), fmt.Sprint(ports[1])))})
	}
	s := startSecondary(t, k, ports[0])
	redis, keys := redistest.Start(t), newKeys(docSecret)
	var replicas [2]*primary
	for i, port := range ports {
		replicas[i] = startPrimary(t, redis, port, keys, "ns1.example.net="+s.address()+",key=transfer")
	}
	eventually(t, 60*time.Second, "the secondary has the zone", func() bool { return soa(s.address()) != 0 })
	done := make(chan int)
	watching, stop := context.WithCancel(t.Context())
	go func() {
		looks := 0
		since := time.Now() // when it was at last
		for last := soa(s.address()); watching.Err() == nil; looks++ {
			begin := time.Now()
			now := soa(s.address())
			if now != 0 && zone.SerialLess(now, last) && begin.Sub(since) > s.overlap() {
				t.Errorf("the serial went from %d back to %d", last, now)
			}
			if now > last {
				last, since = now, time.Now()
			}
		}
		done <- looks
	}()
	ids := [2]uuid.UUID{uuid.New(), uuid.New()}
	var wg sync.WaitGroup
	for n, p := range replicas {
		wg.Go(func() {
			for i := range 200 {
				value := fmt.Sprint(i)
				if err := p.Add(t.Context(), ids[n], value); err != nil {
					t.Error(err)
				}
				if i%20 == 0 {
					for begin := time.Now(); ; time.Sleep(time.Millisecond) {
						if got, _ := values(s.address(), ids[n]); slices.Contains(got, value) {
							break
						} else if time.Since(begin) > 20*time.Second {
							t.Errorf("%s is not there: %q", value, got)
							return
						}
					}
				}
				if err := p.Remove(t.Context(), ids[n], value); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	eventually(t, 60*time.Second, "both and the secondary have the same version", func() bool {
		one, _ := replicas[0].journal.Serial()
		other, _ := replicas[1].journal.Serial()
		return one == other && soa(s.address()) == one
	})
	for n := range replicas { // NSD may have asked one of them alone until now
		replicas[1-n].stop()
		must(t, replicas[n].Add(t.Context(), ids[n], "alone"))
		awaits(t, s.address(), ids[n], "alone", 20*time.Second)
		if replicas[n].transfers(t, "ixfr") == 0 {
			t.Error("no transfer of changes from a replica")
		}
		replicas[1-n] = startPrimary(t, redis, ports[1-n], keys, "ns1.example.net="+s.address()+",key=transfer")
	}
	stop()
	if looks := <-done; looks < 100 {
		t.Errorf("only %d looks", looks)
	}
}
