package secondaries

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/test/process"
	"github.com/signpost-acme/signpost/test/signing"
)

// dsRecord returns the DS record that check and records print for what signs at an
// address, once it signs.
func dsRecord(t *testing.T, address string) string {
	t.Helper()
	z, err := zone.New(origin)
	must(t, err)
	list, err := z.Secondaries([]string{"ns1.example.net=" + address})
	must(t, err)
	var found []zone.Record
	eventually(t, 60*time.Second, "the secondary has a signed zone", func() bool {
		found, err = (&check.Checker{Zone: z, Secondaries: list}).DSRecords(t.Context())
		return err == nil
	})
	if len(found) != 1 {
		t.Fatalf("%d DS records: %v", len(found), found)
	}
	return fmt.Sprintf("%s. %s %s", found[0].Name, found[0].Type, found[0].Value)
}

// signedRoot starts a root that is signed and delegates our zone with a DS record. It
// returns where the root is, and its key's DS record.
func signedRoot(t *testing.T, ds string) (address string, anchor *dns.DS) {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	write(t, dir, "root", fmt.Sprintf("$TTL 60\n. SOA ns. hostmaster. 1 3600 600 604800 1\n. NS ns.\nns. A 127.0.0.1\n%[1]s. NS ns1.example.net.\n%[2]s\n", origin, ds))
	key, err := signing.NewKey(t.Context(), dir, ".")
	must(t, err)
	must(t, signing.Sign(t.Context(), dir, ".", "root", "signed"))
	write(t, dir, "nsd.conf", fmt.Sprintf("server:\n  ip-address: 127.0.0.1@%d\n  username: \"\"\n  chroot: \"\"\n  zonesdir: %[2]q\n  database: \"\"\n  pidfile: \"%[2]s/pid\"\n  xfrdfile: \"%[2]s/state\"\n  xfrdir: %[2]q\n  zonelistfile: \"%[2]s/list\"\n  server-count: 1\nremote-control:\n  control-enable: no\nzone:\n  name: \".\"\n  zonefile: signed\n", port, dir))
	nsd, err := process.Look("nsd")
	must(t, err)
	p := &process.Process{Name: "root", Dir: dir, Args: []string{nsd, "-d", "-c", dir + "/nsd.conf"}}
	must(t, p.Start(nil))
	t.Cleanup(func() { p.End(os.Interrupt) })
	must(t, p.Listens(t.Context(), local(port).String()))
	return local(port).String(), key.ToDS(dns.SHA256)
}

func output(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s(hack/setup test installs the tools)", name, args, err, out)
	}
	return string(out)
}

// RFC 4033 section 5: from a signed root down to a value, by the DS record that we print.
// Unbound, and delv, which validates itself, know the root's key and no other one; DNSViz
// follows the delegation. With a DS record of another key the same is bogus to all.
func chain(t *testing.T, p *primary, secondary, ds string) {
	t.Helper()
	id := uuid.New()
	must(t, p.Add(t.Context(), id, "by the chain"))
	awaits(t, secondary, id, "by the chain", 20*time.Second)
	fields := strings.Fields(ds)
	forged := strings.Join(append(fields[:len(fields)-1:len(fields)-1], strings.Repeat("AB", 32)), " ")
	for record, secure := range map[string]bool{ds: true, forged: false} {
		root, anchor := signedRoot(t, record)
		text := fmt.Sprintf("%d %d %d %s", anchor.KeyTag, anchor.Algorithm, anchor.DigestType, anchor.Digest)
		resolver := dnstest.Unbound(t, map[string]string{".": root, origin: secondary}, aggressive, fmt.Sprintf("trust-anchor: \". DS %s\"", text))
		var m *dns.Msg
		eventually(t, 20*time.Second, "Unbound answers", func() (ok bool) {
			var err error
			m, err = resolve(resolver, id)
			return err == nil && (m.Rcode == dns.RcodeSuccess || !secure && answersUnchecked(resolver, id))
		})
		if secure && (!m.AuthenticatedData || len(texts(m)) != 1) || !secure && m.Rcode != dns.RcodeServerFailure {
			t.Errorf("%s: %v", record, m)
		}
		dir := t.TempDir()
		write(t, dir, "anchor", fmt.Sprintf("trust-anchors { . static-ds %d %d %d %q; };\n", anchor.KeyTag, anchor.Algorithm, anchor.DigestType, anchor.Digest))
		host, port, _ := strings.Cut(resolver, ":")
		cmd := exec.CommandContext(t.Context(), "delv", "-a", dir+"/anchor", "+root=.", "@"+host, "-p", port, id.String()+"."+origin, "TXT")
		out, err := cmd.CombinedOutput()
		if validated := strings.Contains(string(out), "; fully validated") && strings.Contains(string(out), `"by the chain"`); validated != secure {
			t.Errorf("%s: delv says %v\n%s", record, err, out)
		}
		viz(t, root, secondary, id.String()+"."+origin, secure)
	}
}

// viz has DNSViz look from the root down to a name of our zone.
func viz(t *testing.T, root, secondary, name string, secure bool) {
	t.Helper()
	dir := t.TempDir()
	output(t, dir, "dnsviz", "probe", "-4", "-A", "-a", ".", "-x", ".:ns.="+root, "-x", origin+":ns1.example.net="+secondary, "-o", "probe", origin, name)
	output(t, dir, "dnsviz", "grok", "-l", "info", "-r", "probe", "-o", "grok")
	b, err := os.ReadFile(filepath.Join(dir, "grok"))
	must(t, err)
	var zones map[string]struct{ Delegation struct{ Status string } }
	must(t, json.Unmarshal(b, &zones))
	want := map[bool]string{true: "SECURE", false: "BOGUS"}[secure]
	if got := zones[origin+"."].Delegation.Status; got != want {
		t.Errorf("DNSViz calls the delegation %q, want %q", got, want)
	}
	if _, seen := zones[name+"."]; !seen {
		t.Errorf("DNSViz has not looked at %s", name)
	}
	if bad := strings.Contains(string(b), `"errors"`) || strings.Contains(string(b), `"warnings"`); bad == secure {
		t.Errorf("DNSViz has something to say: %v, where it is secure: %v\n%s", bad, secure, b)
	}
}

// answersUnchecked reports whether a resolver has an answer with values, asked not to
// validate (RFC 4035 section 3.2.2).
func answersUnchecked(address string, id uuid.UUID) bool {
	q := new(dns.Msg).SetQuestion(id.String()+"."+origin+".", dns.TypeTXT)
	q.CheckingDisabled = true
	m, _, err := (&dns.Client{Timeout: 3 * time.Second}).Exchange(q, address)
	return err == nil && len(texts(m)) > 0
}
