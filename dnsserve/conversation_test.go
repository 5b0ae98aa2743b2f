package dnsserve

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
// options are +edns[=size], +do, +version=n, +flags=hex, +nsid, +cookie=hex,
// +keepalive, +unknown=n, +norec, +ad, +cd, +z, +tcp, +opcode=n. Every question is
// asked over real sockets: over UDP and, where the answer is not truncated, over
// TCP as well, which must make no difference but for additional records; with
// +tcp over TCP alone. With -update the answers are written anew; read the difference.
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
			var s *Server
			for i, part := range archive.Files {
				if part.Name == "zone" {
					s = serverFor(t, string(part.Data))
					continue
				}
				t.Run(part.Name, func(t *testing.T) {
					got := converse(t, s, string(part.Data))
					if *update {
						archive.Files[i].Data = []byte(got)
					} else if got != string(part.Data) {
						t.Errorf("got\n%s\nwant\n%s", got, part.Data)
					}
				})
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// serverFor reads lines "origin X", "ns X", "txt UUID VALUE" and "unsynced", and
// runs a server for them.
func serverFor(t *testing.T, text string) *Server {
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
	config := testConfig(t, origin, nameservers, records)
	return serve(t, func(c *Config) { c.Zone, c.Nameservers, c.Records = config.Zone, config.Nameservers, records }, "127.0.0.1:0")
}

// converse asks every question in text and returns it with the answers.
func converse(t *testing.T, s *Server, text string) string {
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
		var got [2]string
		for i, network := range networks {
			answer := dial(t, s, network).exchange(t, wire)
			checkAnswer(t, &s.responder, wire, answer, network == "tcp")
			sameAnswer(t, &s.responder, wire, network == "tcp")
			got[i] = describe(t, answer)
		}
		if tcp {
			got[0] = got[1]
		} else if truncated := strings.Contains(got[0], " tc "); !truncated && required(got[0]) != required(got[1]) && !strings.Contains(line, "+keepalive") {
			t.Errorf("%sover UDP %s, over TCP %s", line, got[0], got[1])
		}
		fmt.Fprintf(&b, "%s%s\n", line, got[0])
	}
	return b.String()
}

// required is an answer without its additional records and its size: over UDP it
// may have to do without them.
func required(answer string) string {
	return regexp.MustCompile(`(?m)^additional .*\n|, \d+ octets`).ReplaceAllString(answer, "")
}

func parseQuestionLine(t testing.TB, f []string) (m *dns.Msg, tcp bool) {
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
		edns = edns || !slices.Contains([]string{"tcp", "norec", "opcode", "ad", "cd", "z"}, key)
		switch key {
		case "tcp":
			tcp = true
		case "norec":
			m.RecursionDesired = false
		case "ad":
			m.AuthenticatedData = true
		case "cd":
			m.CheckingDisabled = true
		case "z":
			m.Zero = true
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
		case "flags":
			flags, err := strconv.ParseUint(value, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			opt.Hdr.Ttl |= uint32(flags)
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
