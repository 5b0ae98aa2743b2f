package dnsserve

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// fakeVersions is a zone whose versions a test makes.
type fakeVersions struct {
	mu      sync.Mutex
	serial  uint32
	known   bool
	names   map[uuid.UUID][]string
	changes []zone.Change
	changed chan struct{}
	behind  atomic.Bool
}

func newVersions() *fakeVersions {
	return &fakeVersions{
		serial: 0xfffffffe, known: true, changed: make(chan struct{}),
		names: map[uuid.UUID][]string{uuid.MustParse(testID): {"value"}},
	}
}

func (f *fakeVersions) Serial() (uint32, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.serial, f.known
}

func (f *fakeVersions) Current() (uint32, map[uuid.UUID][]string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.serial, maps.Clone(f.names), f.known
}

func (f *fakeVersions) Since(serial uint32) ([]zone.Change, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range f.changes {
		if c.From == serial {
			return f.changes[i:], true
		}
	}
	return nil, serial == f.serial
}

func (f *fakeVersions) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// CatchUp returns at the next change while behind is set.
func (f *fakeVersions) CatchUp(ctx context.Context) {
	changed := f.Changed()
	if f.behind.CompareAndSwap(true, false) {
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// add adds a value, as a version of its own.
func (f *fakeVersions) add(id uuid.UUID, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes = append(f.changes, zone.Change{From: f.serial, To: f.serial + 1, Names: []zone.NameChange{{ID: id, Added: []string{value}}}})
	f.names[id] = append(f.names[id], value)
	f.serial++
	close(f.changed)
	f.changed = make(chan struct{})
}

var (
	testKey  = Key{Name: "transfer", Algorithm: dns.HmacSHA256, Secret: []byte("0123456789abcdef0123456789abcdef")}
	otherKey = Key{Name: "other", Algorithm: dns.HmacSHA512, Secret: []byte("fedcba9876543210fedcba9876543210")}
)

// transferring runs a server from which ns1.example.net may transfer with testKey.
func transferring(t testing.TB, v *fakeVersions, secondaries ...string) *Server {
	t.Helper()
	if len(secondaries) == 0 {
		secondaries = []string{"ns1.example.net=192.0.2.1,key=transfer,notify=127.0.0.1:9"}
	}
	return serve(t, func(c *Config) {
		list, err := c.Zone.Secondaries(secondaries)
		if err != nil {
			t.Fatal(err)
		}
		c.Transfers = &Transfers{Versions: v, Secondaries: list, Keys: func() []Key { return []Key{testKey, otherKey} }}
	}, "127.0.0.1:0")
}

// signed packs a request, signed with a key, after what change does with its record.
func signedBy(t testing.TB, m *dns.Msg, k Key, change func(*dns.TSIG)) (wire []byte, s *signature) {
	t.Helper()
	s = &signature{key: k, rr: dns.TSIG{Hdr: dns.RR_Header{Name: dns.Fqdn(k.Name)}, Algorithm: k.Algorithm}}
	wire, err := s.sign(m, false)
	if err != nil {
		t.Fatal(err)
	}
	if change == nil {
		return wire, s
	}
	var signed dns.Msg
	if err := signed.Unpack(wire); err != nil {
		t.Fatal(err)
	}
	change(signed.IsTsig())
	if wire, err = signed.Pack(); err != nil {
		t.Fatal(err)
	}
	return wire, s
}

func axfr() *dns.Msg { return new(dns.Msg).SetAxfr("acme.example.com.") }

func ixfr(serial uint32) *dns.Msg {
	return new(dns.Msg).SetIxfr("acme.example.com.", serial, "ns.example.com.", "hostmaster.acme.example.com.")
}

// transfer returns the records of a transfer, whose every message must be signed.
func transfer(t testing.TB, s *Server, q *dns.Msg, k *Key) (records []string, messages int) {
	t.Helper()
	d := dial(t, s, "tcp")
	wire, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var sig *signature
	if k != nil {
		wire, sig = signedBy(t, q, *k, nil)
	}
	_ = d.conn.SetDeadline(time.Now().Add(20 * time.Second))
	d.send(t, wire)
	for {
		got := d.receive(t)
		var m dns.Msg
		if err := m.Unpack(got); err != nil {
			t.Fatal(err)
		}
		if sig != nil {
			if err := dns.TsigVerifyWithProvider(slices.Clone(got), provider{*k}, sig.mac, messages > 0); err != nil {
				t.Fatalf("message %d: %v", messages, err)
			}
			sig.mac = m.IsTsig().MAC
		}
		if m.Id != q.Id || m.Rcode != dns.RcodeSuccess || !m.Authoritative || len(m.Question) != 1 && messages == 0 {
			t.Fatalf("message %d: %v", messages, &m)
		}
		messages++
		for _, rr := range m.Answer {
			text := strings.Join(strings.Fields(rr.String()), " ")
			records = append(records, text)
		}
		if records[len(records)-1] == records[0] {
			return records, messages
		}
	}
}

func soaText(serial uint32) string {
	return fmt.Sprintf("acme.example.com. 300 IN SOA ns.example.com. hostmaster.acme.example.com. %d 60 10 1209600 0", serial)
}

func txtText(id, value string) string {
	return fmt.Sprintf("%s.acme.example.com. 0 IN TXT %q", id, value)
}

// RFC 5936 section 2.2: the whole zone between two SOA records: nameservers, their
// addresses, and the names that have values.
func TestRFC5936Section2_2Transfer(t *testing.T) {
	v := newVersions()
	s := serve(t, func(c *Config) {
		secondaries, _ := c.Zone.Secondaries([]string{"ns1.acme.example.com=192.0.2.1,2001:db8::1,key=transfer"})
		c.Nameservers, _ = c.Zone.WithSecondaries([]string{"ns.example.com"}, secondaries)
		c.Transfers = &Transfers{Versions: v, Secondaries: secondaries, Keys: func() []Key { return []Key{testKey} }}
	}, "127.0.0.1:0")
	got, _ := transfer(t, s, axfr(), &testKey)
	want := []string{
		soaText(0xfffffffe), "acme.example.com. 3600 IN NS ns.example.com.", "acme.example.com. 3600 IN NS ns1.acme.example.com.",
		"ns1.acme.example.com. 3600 IN A 192.0.2.1", "ns1.acme.example.com. 3600 IN AAAA 2001:db8::1", txtText("_serial", "4294967294"), txtText(testID, "value"), soaText(0xfffffffe),
	}
	if !slices.Equal(got, want) {
		t.Errorf("transferred:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// RFC 5936 section 2.2: a zone that is larger than a message comes in several, each
// signed (RFC 8945 section 5.3.1).
func TestRFC5936Section2_2SeveralMessages(t *testing.T) {
	v := newVersions()
	for i := range 3000 {
		v.names[uuid.UUID{1, byte(i >> 8), byte(i)}] = []string{strings.Repeat("x", 43)}
	}
	got, messages := transfer(t, transferring(t, v), axfr(), &testKey)
	slices.Sort(got)
	if n := len(slices.Compact(got)); messages < 5 || n != 3000+4 {
		t.Errorf("%d different records in %d messages", n, messages)
	}
}

// RFC 5936 section 2.2.1: the question comes back letter for letter, and several
// transfers go over one connection.
func TestRFC5936Section2_2_1Letters(t *testing.T) {
	s := transferring(t, newVersions(), "ns1.example.net=127.0.0.1")
	d := dial(t, s, "tcp")
	_ = d.conn.SetDeadline(time.Now().Add(20 * time.Second))
	for range 3 {
		q := new(dns.Msg).SetAxfr("aCmE.eXample.com.")
		wire, _ := q.Pack()
		d.send(t, wire)
		var m dns.Msg
		if err := m.Unpack(d.receive(t)); err != nil || len(m.Question) != 1 || m.Question[0] != q.Question[0] || len(m.Answer) != 5 {
			t.Fatalf("%v, %v", &m, err)
		}
	}
}

// RFC 1995 section 4: the changes since the secondary's version, across the point
// where serials wrap (RFC 1982).
func TestRFC1995Section4Changes(t *testing.T) {
	v := newVersions()
	s := transferring(t, v)
	other := uuid.New()
	v.add(other, "one")
	v.add(other, "two")
	v.add(uuid.MustParse(testID), "three")
	got, _ := transfer(t, s, ixfr(0xffffffff), &testKey)
	want := []string{
		soaText(1),
		soaText(0xffffffff), txtText("_serial", "4294967295"), soaText(0), txtText("_serial", "0"), txtText(other.String(), "two"),
		soaText(0), txtText("_serial", "0"), soaText(1), txtText("_serial", "1"), txtText(testID, "three"),
		soaText(1),
	}
	if !slices.Equal(got, want) {
		t.Errorf("transferred:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// RFC 1995 section 4: where the changes are not known any more, or are more than the
// zone, the whole zone comes.
func TestRFC1995Section4WholeZone(t *testing.T) {
	v := newVersions()
	s := transferring(t, v)
	begin := v.serial
	for i := range 200 {
		v.add(uuid.MustParse(testID), fmt.Sprint(i))
	}
	for _, serial := range []uint32{12345678 + 1<<31, begin} {
		got, _ := transfer(t, s, ixfr(serial), &testKey)
		if len(got) != 205 || strings.Contains(got[1], "SOA") {
			t.Errorf("from %d: %d records, the second %s", serial, len(got), got[1])
		}
	}
}

// RFC 1995 section 2: a secondary that has the version, or a newer one, gets its SOA.
func TestRFC1995Section2Current(t *testing.T) {
	v := newVersions()
	s := transferring(t, v)
	for _, serial := range []uint32{v.serial, v.serial + 1} {
		if got, _ := transfer(t, s, ixfr(serial), &testKey); !slices.Equal(got, []string{soaText(v.serial)}) {
			t.Errorf("from %d: %q", serial, got)
		}
	}
	t.Run("RFC 1995 section 2: over UDP the SOA sends it to TCP", func(t *testing.T) {
		d := dial(t, s, "udp")
		wire, _ := signedBy(t, ixfr(v.serial-5), testKey, nil)
		d.send(t, wire)
		var m dns.Msg
		if err := m.Unpack(d.receive(t)); err != nil || len(m.Answer) != 1 || m.Answer[0].(*dns.SOA).Serial != v.serial || m.IsTsig() == nil {
			t.Errorf("%v, %v", &m, err)
		}
	})
	t.Run("RFC 1995 section 3: without a serial it is malformed", func(t *testing.T) {
		q := ixfr(1)
		q.Ns = nil
		wire, _ := signedBy(t, q, testKey, nil)
		var m dns.Msg
		if err := m.Unpack(dial(t, s, "tcp").exchange(t, wire)); err != nil || m.Rcode != dns.RcodeFormatError {
			t.Errorf("%v, %v", &m, err)
		}
	})
}

// A transfer waits until this replica has what another may have shown to the secondary,
// and not for long if that does not come.
func TestRFC1995Section2CatchesUp(t *testing.T) {
	for _, q := range []func(serial uint32) *dns.Msg{ixfr, func(uint32) *dns.Msg { return axfr() }} {
		v := newVersions()
		s := transferring(t, v)
		next := v.serial + 1
		v.behind.Store(true)
		time.AfterFunc(catchUp/3, func() { v.add(uuid.New(), "x") })
		if got, _ := transfer(t, s, q(next), &testKey); got[0] != soaText(next) {
			t.Errorf("%q", got)
		}
		v.behind.Store(true)
		begin := time.Now()
		if got, _ := transfer(t, s, q(next), &testKey); got[0] != soaText(next) || time.Since(begin) > 10*catchUp {
			t.Errorf("%q after %v", got, time.Since(begin))
		}
	}
}

// RFC 8945 section 5.2: who has no key, or another one, or signs wrongly, gets nothing
// of the zone, over UDP or TCP.
func TestRFC8945Section5_2TransferRefused(t *testing.T) {
	wrong := testKey
	wrong.Secret = []byte("another secret, of 32 octets too")
	unknown := testKey
	unknown.Name = "unknown"
	algorithm := testKey
	algorithm.Algorithm = dns.HmacSHA512
	cut := func(n int) func(*dns.TSIG) {
		return func(rr *dns.TSIG) { rr.MAC, rr.MACSize = rr.MAC[:2*n], uint16(n) }
	}
	s := transferring(t, newVersions())
	for name, tc := range map[string]struct {
		key    *Key
		change func(*dns.TSIG)
		rcode  int
		tsig   uint16
	}{
		"no key":                             {nil, nil, dns.RcodeRefused, 0},
		"section 5.2.1: an unknown key":      {&unknown, nil, dns.RcodeNotAuth, dns.RcodeBadKey},
		"section 5.2.1: another algorithm":   {&algorithm, nil, dns.RcodeNotAuth, dns.RcodeBadKey},
		"section 5.2.2: another secret":      {&wrong, nil, dns.RcodeNotAuth, dns.RcodeBadSig},
		"section 5.2.2: another MAC":         {&testKey, func(rr *dns.TSIG) { rr.MAC = strings.Repeat("00", 32) }, dns.RcodeNotAuth, dns.RcodeBadSig},
		"section 5.2.2: the time changed":    {&testKey, func(rr *dns.TSIG) { rr.TimeSigned++ }, dns.RcodeNotAuth, dns.RcodeBadSig},
		"section 5.2.2.1: truncated to half": {&testKey, cut(16), dns.RcodeNotAuth, dns.RcodeBadTrunc},
		"section 5.2.2.1: truncated further": {&testKey, cut(9), dns.RcodeFormatError, 0},
		"section 5.2.2.1: empty":             {&testKey, cut(0), dns.RcodeFormatError, 0},
		"section 5.2.2.1: too long":          {&testKey, func(rr *dns.TSIG) { rr.MAC, rr.MACSize = rr.MAC+"00", rr.MACSize+1 }, dns.RcodeFormatError, 0},
		"a key of nobody who transfers":      {&otherKey, nil, dns.RcodeRefused, 0},
	} {
		for _, network := range networks {
			t.Run(name+" over "+network, func(t *testing.T) {
				for _, q := range []*dns.Msg{axfr(), ixfr(1)} {
					wire, err := q.Pack()
					if err != nil {
						t.Fatal(err)
					}
					if tc.key != nil {
						wire, _ = signedBy(t, q, *tc.key, tc.change)
					}
					got := dial(t, s, network).exchange(t, wire)
					var m dns.Msg
					if err := m.Unpack(got); err != nil {
						t.Fatal(err)
					}
					if m.Rcode != tc.rcode || len(m.Answer)+len(m.Ns) > 0 {
						t.Errorf("%v", &m)
					}
					rr := m.IsTsig()
					switch unsigned := tc.tsig == dns.RcodeBadKey || tc.tsig == dns.RcodeBadSig; {
					case tc.tsig != 0 && (rr == nil || rr.Error != tc.tsig):
						t.Errorf("TSIG: %v, want the error %d", rr, tc.tsig)
					case rr == nil:
					case unsigned && rr.MAC != "":
						t.Error("section 5.3.2: the answer is signed, although the key is not known")
					case tc.tsig != 0 && math.Abs(float64(rr.TimeSigned)-float64(time.Now().Unix())) > 60:
						t.Errorf("section 5.2.3: a client that looks at the time first takes %d for an old message", rr.TimeSigned)
					case rr.Hdr.Name != dns.Fqdn(tc.key.Name) || rr.OrigId != m.Id || rr.Fudge != fudge:
						t.Errorf("section 5.3: %v", rr)
					}
					if len(got) > 2*len(wire) {
						t.Errorf("%d octets for %d", len(got), len(wire))
					}
				}
			})
		}
	}
}

// RFC 8945 section 5.2.3: an old message is refused, with our time, signed.
func TestRFC8945Section5_2_3Time(t *testing.T) {
	s := transferring(t, newVersions())
	q := axfr()
	q.SetTsig("transfer.", dns.HmacSHA256, fudge, time.Now().Add(-time.Hour).Unix())
	wire, mac, err := dns.TsigGenerateWithProvider(q, provider{testKey}, "", false)
	if err != nil {
		t.Fatal(err)
	}
	got := dial(t, s, "tcp").exchange(t, wire)
	var m dns.Msg
	if err := m.Unpack(got); err != nil || m.Rcode != dns.RcodeNotAuth || m.IsTsig() == nil || m.IsTsig().Error != dns.RcodeBadTime {
		t.Fatalf("%v, %v", &m, err)
	}
	ours, err := hex.DecodeString(m.IsTsig().OtherData)
	if err != nil || len(ours) != 6 {
		t.Errorf("other data %q", m.IsTsig().OtherData)
	}
	rr := m.IsTsig()
	signed := m.Copy()
	signed.Extra = []dns.RR{rr}
	if _, want, err := dns.TsigGenerateWithProvider(signed, provider{testKey}, mac, false); err != nil || want != rr.MAC {
		t.Errorf("the answer is signed with %s, want %s (%v)", rr.MAC, want, err)
	}
}

// RFC 8945 section 5.1: a TSIG record that is not the last one, or two of them, is
// malformed.
func TestRFC8945Section5_1Form(t *testing.T) {
	s := transferring(t, newVersions())
	for name, spoil := range map[string]func(m *dns.Msg){
		"not the last": func(m *dns.Msg) {
			m.Extra = append(m.Extra, &dns.A{Hdr: header("a.", dns.TypeA, 0), A: []byte{1, 2, 3, 4}})
		},
		"two":      func(m *dns.Msg) { m.Extra = append(m.Extra, m.Extra[0]) },
		"class IN": func(m *dns.Msg) { m.Extra[0].Header().Class = dns.ClassINET },
	} {
		t.Run(name, func(t *testing.T) {
			wire, _ := signedBy(t, axfr(), testKey, nil)
			var m dns.Msg
			if err := m.Unpack(wire); err != nil {
				t.Fatal(err)
			}
			spoil(&m)
			if wire, _ = m.Pack(); m.Unpack(dial(t, s, "tcp").exchange(t, wire)) != nil || m.Rcode == dns.RcodeSuccess || len(m.Answer) > 0 {
				t.Errorf("%v", &m)
			}
		})
	}
}

// RFC 8945 section 5.3: an answer to a signed question of any kind is signed.
func TestRFC8945Section5_3SignedAnswers(t *testing.T) {
	s := transferring(t, newVersions())
	for _, network := range networks {
		for _, q := range []*dns.Msg{
			new(dns.Msg).SetQuestion("acMe.example.com.", dns.TypeSOA), challengeQuery(),
			new(dns.Msg).SetQuestion("nothing.acme.example.com.", dns.TypeTXT), new(dns.Msg).SetQuestion("example.net.", dns.TypeTXT),
			new(dns.Msg).SetEdns0(1232, true).SetQuestion("acme.example.com.", dns.TypeNS),
		} {
			wire, sig := signedBy(t, q, testKey, nil)
			got := dial(t, s, network).exchange(t, wire)
			var m dns.Msg
			if err := m.Unpack(got); err != nil || !sig.check(slices.Clone(got), &m) || m.Question[0] != q.Question[0] {
				t.Errorf("%s: %v, %v", q.Question[0].Name, &m, err)
			}
		}
	}
}

// RFC 8945 section 2: two secrets under one name, while one replaces the other, both
// count.
func TestRFC8945KeyRotation(t *testing.T) {
	next := testKey
	next.Secret = []byte("the next one, of 32 octets or so")
	s := serve(t, func(c *Config) {
		list, _ := c.Zone.Secondaries([]string{"ns1.example.net=192.0.2.1,key=transfer"})
		c.Transfers = &Transfers{Versions: newVersions(), Secondaries: list, Keys: func() []Key { return []Key{next, testKey} }}
	}, "127.0.0.1:0")
	for _, k := range []Key{testKey, next} {
		if got, _ := transfer(t, s, axfr(), &k); len(got) != 5 {
			t.Errorf("%q", got)
		}
	}
}

// A secondary without a key is known by its address.
func TestTransferByAddress(t *testing.T) {
	if got, _ := transfer(t, transferring(t, newVersions(), "ns1.example.net=127.0.0.1:5353"), axfr(), nil); len(got) != 5 {
		t.Errorf("%q", got)
	}
	s := transferring(t, newVersions(), "ns1.example.net=127.0.0.2:5353")
	wire, _ := axfr().Pack()
	var m dns.Msg
	if err := m.Unpack(dial(t, s, "tcp").exchange(t, wire)); err != nil || m.Rcode != dns.RcodeRefused {
		t.Errorf("%v, %v", &m, err)
	}
}

// Before it is known which version is current, secondaries get neither a serial nor a zone.
func TestUnknownVersion(t *testing.T) {
	v := newVersions()
	v.known = false
	s := transferring(t, v)
	for _, q := range []*dns.Msg{axfr(), ixfr(1), new(dns.Msg).SetQuestion("acme.example.com.", dns.TypeSOA)} {
		wire, _ := signedBy(t, q, testKey, nil)
		d := dial(t, s, "tcp")
		d.send(t, wire)
		var m dns.Msg
		if err := m.Unpack(d.receive(t)); err != nil || m.Rcode != dns.RcodeServerFailure || len(m.Answer) > 0 {
			t.Errorf("%v, %v", &m, err)
		}
	}
}

// RFC 2308 section 3: the SOA of a negative answer has the serial that the zone has.
func TestRFC2308Section3Serial(t *testing.T) {
	v := newVersions()
	s := transferring(t, v)
	for _, serial := range []uint32{v.serial, v.serial + 1} {
		for _, name := range []string{"nothing.acme.example.com.", "00000000-0000-0000-0000-000000000000.acme.example.com."} {
			m, err := dns.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeTXT), s.Addrs()[0].String())
			if err != nil || len(m.Ns) != 1 || m.Ns[0].(*dns.SOA).Serial != serial {
				t.Errorf("%s: %v, %v, want the serial %d", name, m, err, serial)
			}
		}
		v.add(uuid.New(), "x")
	}
}

// Every transfer has its end: one to a client that does not read it ends too.
func TestTransferToNobodyEnds(t *testing.T) {
	v := newVersions()
	for i := range 60000 {
		v.names[uuid.UUID{1, byte(i >> 8), byte(i)}] = []string{strings.Repeat("x", 200)}
	}
	s := transferring(t, v, "ns1.example.net=127.0.0.1")
	wire, _ := axfr().Pack()
	for range maxTransfers {
		dial(t, s, "tcp").send(t, wire)
	}
	end := time.Now().Add(3 * tcpMessage)
	for len(s.transfers.running) < maxTransfers && time.Now().Before(end) {
		time.Sleep(time.Millisecond)
	}
	if got := len(s.transfers.running); got != maxTransfers {
		t.Fatalf("%d transfers at a time", got)
	}
	ask(t, "tcp", s.Addrs()[0].String()) // others are served meanwhile
	for len(s.transfers.running) > 0 {
		if time.Now().After(end) {
			t.Fatal("transfers that nobody reads go on")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
