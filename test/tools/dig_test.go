package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/test/world"
)

var servers = []string{world.ReplicaAddress(0), world.ReplicaAddress6(0), world.ReplicaAddress(1), world.ReplicaAddress6(1)}

// questions are asked of every server by every tool that asks one question.
var questions = []struct {
	name, qtype, status string
	answers             int
}{
	{challenge, "TXT", "NOERROR", 1},
	{challenge, "AAAA", "NOERROR", 0},
	{empty, "TXT", "NOERROR", 0},
	{many, "TXT", "NOERROR", manyValues}, // by way of TCP
	{world.Zone, "SOA", "NOERROR", 1},
	{world.Zone, "NS", "NOERROR", 2},
	{world.Zone, "DNSKEY", "NOERROR", 0},
	{"ns1." + world.Zone, "A", "NOERROR", 1},
	{"ns1." + world.Zone, "AAAA", "NOERROR", 1},
	{"nothing." + world.Zone, "TXT", "NXDOMAIN", 0},
	{"example.org", "A", "REFUSED", 0},
}

func TestDig(t *testing.T) {
	for _, server := range servers {
		for _, q := range questions {
			out := tool(t, "dig", "@"+server, q.name, q.qtype, "+norec", "+nsid", "+cookie")
			want := []string{"status: " + q.status + ",", fmt.Sprintf("ANSWER: %d,", q.answers), "NSID: 73 69 67 6e 70 6f 73 74 2d"}
			if q.answers < 10 {
				want = append(want, "(good)") // the server cookie; dig says so over UDP alone
			}
			expect(t, out, want, []string{";; WARNING", "malformed", "(bad)", "mismatch"})
		}
	}
}

// dig asks all nameservers that it finds in the DNS for the SOA, and they agree.
func TestDigNSSearch(t *testing.T) {
	out := tool(t, "dig", "@"+world.ResolverAddress, "+nssearch", world.Zone)
	soa := map[string]bool{}
	for line := range strings.Lines(out) {
		before, _, _ := strings.Cut(line, " from server ")
		soa[before] = true
	}
	if len(soa) != 1 {
		t.Errorf("%d SOA records:\n%s", len(soa), out)
	}
	for _, server := range servers {
		if !strings.Contains(out, " from server "+server+" ") {
			t.Errorf("%s was not found:\n%s", server, out)
		}
	}
}

func TestDelv(t *testing.T) {
	for _, name := range []string{challenge, "_acme-challenge.example.com"} {
		out := tool(t, "delv", "-i", "@"+world.ResolverAddress, name, "TXT")
		expect(t, out, []string{"; answer not validated", challenge + ". 0 IN TXT", value}, []string{"resolution failed"})
	}
	for _, server := range servers {
		out := tool(t, "delv", "-i", "@"+server, empty, "TXT")
		expect(t, out, []string{"; negative response, answer not validated", `\-TXT ;-$NXRRSET`}, nil)
		out = tool(t, "delv", "-i", "@"+server, "nothing."+world.Zone, "TXT")
		expect(t, out, []string{"; negative response, answer not validated", "$NXDOMAIN"}, nil)
	}
}

func TestKdig(t *testing.T) {
	for _, server := range servers {
		for _, q := range questions {
			out := tool(t, "kdig", "@"+server, q.name, q.qtype, "+norec", "+edns", "+nsid", "+cookie", "+padding=64")
			refuse := []string{";; ERROR", ";; WARNING"}
			if q.answers > 9 {
				refuse = []string{";; ERROR"} // it warns that it goes on over TCP
			}
			expect(t, out, []string{"status: " + q.status + ";", fmt.Sprintf("ANSWER: %d;", q.answers), `"signpost-`, "COOKIE: "}, refuse)
			if !json.Valid([]byte(tool(t, "kdig", "@"+server, q.name, q.qtype, "+json", "+tcp"))) {
				t.Errorf("%s %s is not to be had in JSON", q.name, q.qtype)
			}
		}
	}
}

func TestDrill(t *testing.T) {
	for _, server := range servers {
		for _, q := range questions {
			out := tool(t, "drill", "-t", "@"+server, q.name, q.qtype)
			expect(t, out, []string{"rcode: " + q.status + ",", fmt.Sprintf("ANSWER: %d,", q.answers)}, []string{"Warning", "Error"})
		}
	}
	// From the root down.
	out := tool(t, "drill", "-4", "-r", rootHints(t), "-T", challenge, "TXT")
	expect(t, out, []string{world.Zone + ".\t60\tIN\tNS\tns2." + world.Zone, value}, []string{"Warning", "Error"})
}

// expect fails unless everything wanted is in out, and nothing that is refused.
func expect(t *testing.T, out string, want, refuse []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("there is no %q in\n%s", w, out)
		}
	}
	for _, r := range refuse {
		if strings.Contains(out, r) {
			t.Errorf("there is %q in\n%s", r, out)
		}
	}
}
