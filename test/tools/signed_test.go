package tools

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/test/process"
	"github.com/signpost-acme/signpost/test/recipes"
	"github.com/signpost-acme/signpost/test/world"
)

// signedZone is a zone whose hidden primary is a signpost dns of its own: a secondary
// signs it, hidden too, and NSD and Knot, which the world asks, transfer it from there.
const signedZone = "signed.example.com"

// Where the parts of it are.
var (
	primaryAddress = world.ReplicaAddress(2)
	signerAddress  = world.ReplicaAddress(3)
	answering      = [2]netip.Addr{netip.MustParseAddr(world.SecondaryAddress(0)), netip.MustParseAddr(world.SecondaryAddress(1))}
)

// RFC 4033 section 5: from the signed root down, by the records that signpost records
// prints, Zonemaster finds nothing bad in a zone set up by docs/dnssec.md, and it does
// where the DS record is another one.
func TestZonemasterSigned(t *testing.T) {
	for _, signer := range []string{"knot", "bind"} {
		t.Run(signer, func(t *testing.T) {
			records := startSigned(t, signer)
			if err := theWorld.Parent.Set(t.Context(), "example.com", signedZone, records); err != nil {
				t.Fatal(err)
			}
			messages := zonemaster(t, signedZone)
			judge(t, messages, "BASIC02", "CONSISTENCY06", "DELEGATION07", "NAMESERVER09", "ZONE10", "DNSSEC02", "DNSSEC08", "DNSSEC09", "DNSSEC13")
			for _, tag := range []string{"ALGORITHM_OK", "RRSIG_EXPIRATION", "DS10_HAS_NSEC3"} {
				if !slices.ContainsFunc(messages, func(m message) bool { return m.Tag == tag }) {
					t.Errorf("no %s: has Zonemaster seen a signed zone?", tag)
				}
			}
			digest := records[strings.LastIndexAny(strings.TrimSpace(records), " \t")+1:]
			forged := strings.Replace(records, digest, strings.Repeat("AB", 32)+"\n", 1)
			if err := theWorld.Parent.Set(t.Context(), "example.com", signedZone, forged); err != nil {
				t.Fatal(err)
			}
			complains(t, signedZone, "DS02_NO_MATCH_DS_DNSKEY")
		})
	}
	t.Run("a DS record, and nobody signs", func(t *testing.T) {
		set := func(ds string) {
			if err := theWorld.Parent.Set(context.WithoutCancel(t.Context()), "example.com", "DS", ds); err != nil {
				t.Error(err)
			}
		}
		t.Cleanup(func() { set("") })
		set(world.Zone + ". DS 12345 13 2 " + strings.Repeat("AB", 32))
		complains(t, world.Zone, "DS11_DS_BUT_UNSIGNED_ZONE")
	})
}

// complains fails unless Zonemaster finds an error with that tag in a zone's DNSSEC.
func complains(t *testing.T, zone, tag string) {
	t.Helper()
	messages := zonemaster(t, zone, "--test", "DNSSEC")
	if !slices.ContainsFunc(messages, func(m message) bool { return m.Tag == tag && m.bad() }) {
		t.Errorf("no %s, but %v", tag, messages)
	}
}

// startSigned starts all that serves signedZone, and returns the records that delegate it.
func startSigned(t *testing.T, signer string) (records string) {
	t.Helper()
	dir := t.TempDir()
	port := func(address string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(address), 53) }
	start := func(name, address string, args ...string) {
		t.Helper()
		p := &process.Process{Name: name, Dir: filepath.Join(dir, name), Args: args}
		if err := p.Start(nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			p.End(syscall.SIGTERM)
			if t.Failed() {
				t.Logf("%s: %s", name, p.Tail())
			}
		})
		if err := p.Listens(t.Context(), address); err != nil {
			t.Fatal(err)
		}
	}
	folder := func(name string) string {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}

	key := filepath.Join(folder("signpost"), "transfer.key")
	if err := os.WriteFile(key, fmt.Appendf(nil, "key \"transfer\" { algorithm hmac-sha256; secret %q; };\n", recipes.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(theWorld.Bin, "signpost")
	flags := []string{"--zone", signedZone}
	for i, a := range answering {
		flags = append(flags, "--secondary", fmt.Sprintf("ns%d.%s=%s,key=transfer,notify=%s", i+1, signedZone, a, signerAddress))
	}
	redis := "redis://" + world.RedisAddress + "/0"
	start("signpost", primaryAddress+":53", slices.Concat([]string{bin, "dns", "--listen", primaryAddress + ":53", "--redis-url", redis, "--transfer-key-file", key,
		"--http-listen", primaryAddress + ":8080", "--shutdown-delay", "0s"}, flags)...)

	hidden, err := recipes.Hidden(signer, answering)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		name        string
		kind        recipes.Kind
		at, primary string
	}{
		{"signer", hidden, signerAddress, primaryAddress},
		{"nsd", recipes.Kinds["nsd"], answering[0].String(), signerAddress},
		{"knot", recipes.Kinds["knot"], answering[1].String(), signerAddress},
	} {
		s.kind.Zone = signedZone
		args, err := s.kind.Command(folder(s.name), port(s.at), port(s.primary), recipes.Secret)
		if err != nil {
			t.Fatal(err)
		}
		start(s.name, s.at+":53", args...)
	}

	values, err := store.NewRedis(signedZone, store.RedisOptions{URL: redis}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer values.Close()
	values.KeepVersions(&store.Journal{})
	var took []time.Duration
	for range 6 {
		id := uuid.New()
		begin := time.Now()
		if err := values.Add(t.Context(), id, value); err != nil {
			t.Fatal(err)
		}
		for _, a := range answering {
			signedAnswer(t, a, id)
		}
		took = append(took, time.Since(begin))
	}
	took = took[1:] // the first one has waited until everything had started
	slices.Sort(took)
	t.Logf("from a change to both nameservers: median %v, slowest %v", took[len(took)/2], took[len(took)-1])
	return tool(t, bin, append([]string{"records", "--ds", "-o", "zone"}, flags...)...)
}

// signedAnswer waits until a server answers with the value under id, and its signature.
func signedAnswer(t *testing.T, server netip.Addr, id uuid.UUID) {
	t.Helper()
	q := new(dns.Msg).SetQuestion(id.String()+"."+signedZone+".", dns.TypeTXT)
	q.SetEdns0(1232, true)
	var m *dns.Msg
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if m, _, _ = new(dns.Client).ExchangeContext(t.Context(), q, server.String()+":53"); m != nil && len(m.Answer) == 2 {
			return
		}
	}
	t.Fatalf("%s: %v", server, m)
}
