package secondaries

import (
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// fromElsewhere sends NOTIFY as it comes from the pod of a replica, and so from another
// address than that at which the secondary reaches the primary (RFC 1996 section 3.10). By
// its recipe each takes it if it is signed, and only then; PowerDNS does not ask whether
// it is.
func fromElsewhere(t *testing.T, s *secondary) {
	t.Helper()
	if rcode := notify(t, s.address(), true); rcode != dns.RcodeSuccess {
		t.Errorf("one that is signed: %s", dns.RcodeToString[rcode])
	}
	if rcode := notify(t, s.address(), false); rcode == dns.RcodeSuccess && s.Heading != "PowerDNS" {
		t.Error("one that is not signed is taken")
	}
}

// notify sends one from another address than the primary's, and returns the answer's code;
// one for no answer.
func notify(t *testing.T, to string, signed bool) int {
	t.Helper()
	m := new(dns.Msg).SetNotify(origin + ".")
	c := &dns.Client{Timeout: 2 * time.Second, TsigSecret: map[string]string{"transfer.": docSecret}, Dialer: &net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)}}}
	if signed {
		m.SetTsig("transfer.", dns.HmacSHA256, 300, time.Now().Unix())
	}
	answer, _, err := c.Exchange(m, to)
	if err != nil {
		if signed {
			t.Error(err)
		}
		return dns.RcodeServerFailure
	}
	return answer.Rcode
}
