package dnsserve

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/miekg/dns"
	"golang.org/x/tools/txtar"

	"github.com/signpost-acme/signpost/internal/zone"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/dns")

// fakeRecords is a Records that holds what a test puts there.
type fakeRecords struct {
	values   map[uuid.UUID][]string
	complete bool
}

func (f *fakeRecords) Lookup(id uuid.UUID) ([]string, []byte, bool) {
	values := f.values[id]
	if len(values) == 0 {
		return nil, nil, f.complete
	}
	return values, Prepare(values), f.complete
}

func newResponder(t testing.TB, origin string, nameservers []string, records Records) *responder {
	t.Helper()
	config := testConfig(t, origin, nameservers, records)
	r := &responder{}
	if err := r.init(config); err != nil {
		t.Fatal(err)
	}
	return r
}

func testConfig(t testing.TB, origin string, nameservers []string, records Records) Config {
	t.Helper()
	z, err := zone.New(origin)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := z.Nameservers(nameservers)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Zone: z, Nameservers: ns, Records: records, Identity: "replica-1"}
}

// TestConversations runs testdata/dns: in each file a zone and its records, and
// then questions ("> name type [class] [+option…]") with their answers. The
// options are +edns[=size], +do, +version=n, +nsid, +cookie=hex, +norec, +tcp,
// +opcode=n. With -update the answers are written anew; read the difference.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("../testdata/dns/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r *responder
			for i, part := range archive.Files {
				if part.Name == "zone" {
					r = responderFor(t, string(part.Data))
					continue
				}
				got := converse(t, r, string(part.Data))
				if *update {
					archive.Files[i].Data = []byte(got)
				} else if got != string(part.Data) {
					t.Errorf("%s: got\n%s\nwant\n%s", part.Name, got, part.Data)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// responderFor reads lines "origin X", "ns X", "txt UUID VALUE" and "unsynced".
func responderFor(t *testing.T, text string) *responder {
	t.Helper()
	origin, nameservers := "", []string(nil)
	records := &fakeRecords{values: map[uuid.UUID][]string{}, complete: true}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "origin":
			origin = f[1]
		case len(f) == 2 && f[0] == "ns":
			nameservers = append(nameservers, f[1])
		case len(f) == 1 && f[0] == "unsynced":
			records.complete = false
		case len(f) == 3 && f[0] == "txt":
			id, value := uuid.MustParse(f[1]), f[2]
			if n, err := strconv.Atoi(strings.TrimPrefix(value, "repeat=")); err == nil {
				for i := range n {
					records.values[id] = append(records.values[id], fmt.Sprintf("%03d-%s", i, strings.Repeat("x", 39)))
				}
				continue
			}
			records.values[id] = append(records.values[id], value)
		default:
			t.Fatalf("zone: cannot read %q", line)
		}
	}
	return newResponder(t, origin, nameservers, records)
}

// converse answers every question in text and returns it with the answers.
func converse(t *testing.T, r *responder, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "> ") {
			continue
		}
		query, tcp := parseQuestionLine(t, strings.Fields(line[2:]))
		wire, err := query.Pack()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		raw := r.respond(nil, wire, netip.MustParseAddr("192.0.2.7"), tcp)
		fmt.Fprintf(&b, "%s%s\n", line, describe(t, raw))
	}
	return b.String()
}

func parseQuestionLine(t *testing.T, f []string) (m *dns.Msg, tcp bool) {
	t.Helper()
	m = new(dns.Msg)
	m.Id, m.RecursionDesired = 1, true
	q := dns.Question{Name: f[0], Qtype: dns.StringToType[f[1]], Qclass: dns.ClassINET}
	if n, err := strconv.Atoi(strings.TrimPrefix(f[1], "TYPE")); err == nil {
		q.Qtype = uint16(n)
	}
	opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	opt.SetUDPSize(1232)
	edns := false
	for _, o := range f[2:] {
		if class, ok := dns.StringToClass[o]; ok {
			q.Qclass = class
			continue
		}
		key, value, _ := strings.Cut(strings.TrimPrefix(o, "+"), "=")
		n, _ := strconv.Atoi(value)
		edns = edns || key != "tcp" && key != "norec" && key != "opcode"
		switch key {
		case "tcp":
			tcp = true
		case "norec":
			m.RecursionDesired = false
		case "opcode":
			m.Opcode = n
		case "edns":
			if value != "" {
				opt.SetUDPSize(uint16(n))
			}
		case "do":
			opt.SetDo()
		case "version":
			opt.SetVersion(uint8(n))
		case "nsid":
			opt.Option = append(opt.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
		case "cookie":
			opt.Option = append(opt.Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: value})
		case "keepalive":
			opt.Option = append(opt.Option, &dns.EDNS0_LOCAL{Code: dns.EDNS0TCPKEEPALIVE})
		case "unknown":
			opt.Option = append(opt.Option, &dns.EDNS0_LOCAL{Code: uint16(n), Data: []byte("x")})
		default:
			t.Fatalf("unknown option %q", o)
		}
	}
	m.Question = []dns.Question{q}
	if edns {
		m.Extra = []dns.RR{opt}
	}
	return m, tcp
}

// describe prints an answer much as dig does, without what differs every time.
func describe(t *testing.T, raw []byte) string {
	t.Helper()
	if len(raw) == 0 {
		return "(silence)\n"
	}
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		t.Fatalf("the answer cannot be read: %v\n%x", err, raw)
	}
	var b strings.Builder
	flags := ""
	for _, f := range []struct {
		set  bool
		name string
	}{{m.Response, "qr"}, {m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionDesired, "rd"},
		{m.RecursionAvailable, "ra"}, {m.Zero, "z"}, {m.AuthenticatedData, "ad"}, {m.CheckingDisabled, "cd"}} {
		if f.set {
			flags += " " + f.name
		}
	}
	fmt.Fprintf(&b, ";; %s %s, flags:%s, %d octets\n", dns.OpcodeToString[m.Opcode], rcodeName(m.Rcode), flags, len(raw))
	for _, q := range m.Question {
		fmt.Fprintf(&b, ";%s %s %s\n", q.Name, dns.Class(q.Qclass), dns.Type(q.Qtype))
	}
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if opt, ok := rr.(*dns.OPT); ok {
				describeOPT(&b, opt)
				continue
			}
			fmt.Fprintf(&b, "%s %s\n", [3]string{"answer", "authority", "additional"}[i], strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	return b.String()
}

func describeOPT(b *strings.Builder, opt *dns.OPT) {
	fmt.Fprintf(b, "opt version %d, flags %04x, udp %d", opt.Version(), opt.Hdr.Ttl&0xffff, opt.UDPSize())
	for _, o := range opt.Option {
		switch o := o.(type) {
		case *dns.EDNS0_COOKIE:
			fmt.Fprintf(b, ", cookie %s… of %d octets", o.Cookie[:16], len(o.Cookie)/2)
		case *dns.EDNS0_NSID:
			id, _ := hex.DecodeString(o.Nsid)
			fmt.Fprintf(b, ", nsid %s", id)
		default:
			fmt.Fprintf(b, ", option %d %s", o.Option(), o)
		}
	}
	b.WriteString("\n")
}
