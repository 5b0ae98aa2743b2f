package dnsserve

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"
)

// fakeSecondary is a secondary that hears NOTIFY and answers as it is told.
type fakeSecondary struct {
	addr    string
	heard   chan *dns.Msg
	answers atomic.Bool
	serial  atomic.Uint32 // that it says it has
	signed  bool
	key     Key
	wrong   atomic.Bool  // signs its answers with another key
	refuses atomic.Bool  // NOTIFY
	asked   atomic.Int32 // for its version
	drops   atomic.Int32 // so many more questions for its version
}

func newSecondary(t *testing.T, signed bool) *fakeSecondary {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeSecondary{addr: conn.LocalAddr().String(), heard: make(chan *dns.Msg, 10000), key: testKey, signed: signed}
	f.answers.Store(true)
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			s, err := verify(buf[:n], []Key{f.key})
			var m dns.Msg
			if m.Unpack(buf[:n]) != nil || f.signed && (err != nil || s.error != 0) {
				continue
			}
			answers := f.answers.Load() // before the test hears of it, and may change that
			if m.Opcode == dns.OpcodeNotify {
				f.heard <- m.Copy()
			}
			if !answers {
				continue
			}
			reply := new(dns.Msg).SetReply(&m)
			if m.Opcode == dns.OpcodeNotify && f.refuses.Load() {
				reply.Rcode = dns.RcodeRefused
			}
			if m.Opcode == dns.OpcodeQuery {
				f.asked.Add(1)
				if f.drops.Add(-1) >= 0 {
					continue
				}
				reply.Answer = []dns.RR{versionText(m.Question[0].Name, f.serial.Load())}
			}
			wire, _ := reply.Pack()
			if f.signed {
				if f.wrong.Load() {
					s.key.Secret = otherKey.Secret
				}
				wire, _ = s.sign(reply, false)
			}
			_, _ = conn.WriteTo(wire, from)
		}
	}()
	return f
}

// next returns the next NOTIFY, nil if there is none within d.
func (f *fakeSecondary) next(d time.Duration) *dns.Msg {
	select {
	case m := <-f.heard:
		return m
	case <-time.After(d):
		return nil
	}
}

// RFC 1996 section 3.7: a change is told within milliseconds, signed, and not again
// once it is acknowledged and transferred.
func TestRFC1996Section3_7Notify(t *testing.T) {
	f := newSecondary(t, true)
	v := newVersions()
	f.serial.Store(v.serial)
	transferring(t, v, "ns1.example.net="+f.addr+",key=transfer")
	m := f.next(5 * time.Second)
	if m == nil || m.Question[0] != (dns.Question{Name: "acme.example.com.", Qtype: dns.TypeSOA, Qclass: dns.ClassINET}) || !m.Authoritative || m.IsTsig() == nil {
		t.Fatalf("at the start: %v", m)
	}
	time.Sleep(20 * time.Millisecond)
	f.serial.Store(v.serial + 1)
	begin := time.Now()
	v.add(uuid.New(), "x")
	if f.next(5*time.Second) == nil {
		t.Fatal("no NOTIFY")
	}
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("told after %v", took)
	}
	if m := f.next(2 * followPause); m != nil {
		t.Errorf("told again: %v", m)
	}
}

// RFC 1996 section 3.6: what is not acknowledged is repeated, more and more seldom, and
// then nothing is as often as the changes are.
func TestRFC1996Section3_6NoStorm(t *testing.T) {
	f := newSecondary(t, false)
	f.answers.Store(false)
	v := newVersions()
	transferring(t, v, "ns1.example.net="+f.addr)
	begin := time.Now()
	for i := range 2000 {
		v.add(uuid.MustParse(testID), fmt.Sprint(i))
		time.Sleep(time.Millisecond / 2)
	}
	took := time.Since(begin)
	sent := len(f.heard)
	if most := int(took/firstWait) + 5; sent > most {
		t.Errorf("%d NOTIFY in %v to a secondary that does not answer, want at most %d", sent, took, most)
	}
	for len(f.heard) > 0 {
		<-f.heard
	}
	quiet := time.Now()
	for range 3 {
		if f.next(10*time.Second) == nil {
			t.Fatal("not repeated")
		}
	}
	if took := time.Since(quiet); took < 2*firstWait {
		t.Errorf("three more after only %v", took)
	}
	f.answers.Store(true)
	f.serial.Store(v.serial)
	if f.next(10*time.Second) == nil {
		t.Fatal("not repeated")
	}
	if m := f.next(time.Second); m != nil {
		t.Errorf("repeated although acknowledged: %v", m)
	}
}

// RFC 1996 section 3.6: one that refuses, or is not there, so that the network says so at
// once, is told as seldom as one that does not answer.
func TestRFC1996Section3_6Refused(t *testing.T) {
	f := newSecondary(t, false)
	f.refuses.Store(true)
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for what, address := range map[string]string{"refuses": f.addr, "is not there": gone.LocalAddr().String()} {
		n := transferring(t, newVersions(), "ns1.example.net="+address).transfers.notifiers[0]
		time.Sleep(1200 * time.Millisecond)
		if sent := n.unanswered.Load(); sent < 3 || sent > 5 { // after 0.1, 0.2, 0.4, 0.8 s
			t.Errorf("%d NOTIFY in 1.2 s to one that %s", sent, what)
		}
	}
	f.refuses.Store(false)
	for len(f.heard) > 0 {
		<-f.heard
	}
	if f.next(10*time.Second) == nil {
		t.Error("not repeated")
	}
}

// RFC 1996 section 4.7: a secondary that has acknowledged and does not transfer is told again.
func TestRFC1996Section4_7ToldAgain(t *testing.T) {
	f := newSecondary(t, false)
	v := newVersions()
	f.serial.Store(v.serial - 1)
	transferring(t, v, "ns1.example.net="+f.addr)
	for i := range 3 {
		if f.next(10*time.Second) == nil {
			t.Fatalf("told %d times", i)
		}
	}
	f.serial.Store(v.serial + 5) // one that signs has serials of its own
	for len(f.heard) > 0 {
		<-f.heard
	}
	if m := f.next(8 * time.Second); m != nil && f.next(8*time.Second) != nil {
		t.Error("told again although it is ahead")
	}
}

// RFC 8945 section 5.4: an acknowledgement counts only if it is signed with the key.
func TestRFC8945Section5_4Acknowledgement(t *testing.T) {
	f := newSecondary(t, true)
	f.wrong.Store(true)
	v := newVersions()
	f.serial.Store(v.serial)
	s := transferring(t, v, "ns1.example.net="+f.addr+",key=transfer")
	for i := range 3 {
		if f.next(10*time.Second) == nil {
			t.Fatalf("told %d times", i)
		}
	}
	if n := s.transfers.notifiers[0].acknowledged.Load(); n != 0 {
		t.Errorf("%d are acknowledged", n)
	}
}

// RFC 1996 section 3.7: the serial is in it, so that a secondary that is just transferring
// knows whether that is what it is told of.
func TestRFC1996Section3_7Serial(t *testing.T) {
	f := newSecondary(t, true)
	v := newVersions()
	transferring(t, v, "ns1.example.net="+f.addr+",key=transfer")
	m := f.next(5 * time.Second)
	if m == nil || len(m.Answer) != 1 {
		t.Fatalf("%v", m)
	}
	if soa, ok := m.Answer[0].(*dns.SOA); !ok || soa.Serial != v.serial || soa.Hdr.Name != "acme.example.com." {
		t.Errorf("%v", m.Answer)
	}
}

// RFC 1996 section 4.7: a secondary that hears elsewhere than it answers is followed where it
// answers, and one that does not answer is asked again.
func TestRFC1996Section4_7FollowedWhereItAnswers(t *testing.T) {
	hears, answers := newSecondary(t, false), newSecondary(t, false)
	v := newVersions()
	answers.serial.Store(v.serial - 1)
	answers.drops.Store(1)
	s := transferring(t, v, "ns1.example.net="+answers.addr+",notify="+hears.addr)
	for i := range 3 {
		if hears.next(10*time.Second) == nil {
			t.Fatalf("told %d times", i)
		}
	}
	n := s.transfers.notifiers[0]
	if lags := n.behindFor(time.Now()); lags < followPause || lags > 10*time.Second {
		t.Errorf("behind for %v", lags)
	}
	answers.serial.Store(v.serial)
	end := time.Now().Add(10 * time.Second)
	for n.behindFor(time.Now()) > 0 && time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond)
	}
	if lags := n.behindFor(time.Now()); lags > 0 {
		t.Errorf("behind for %v, though it has the version", lags)
	}
	if asked := answers.asked.Load(); asked < 4 || asked > 7 {
		t.Errorf("asked %d times", asked)
	}
}
