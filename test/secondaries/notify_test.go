package secondaries

import (
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// RFC 1996 section 3.10: a NOTIFY comes from the pod of a replica, and so from another
// address than that at which the secondary reaches the primary. By its recipe each takes
// it from anywhere if it is signed, and only then. PowerDNS does not ask whether it is.
func TestRFC1996Section3_10NotifyFromAnotherAddress(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			s := startSecondary(t, k, port)
			startPrimary(t, redistest.Start(t), port, newKeys(docSecret), "ns1.example.net="+s.address()+",key=transfer")
			eventually(t, 90*time.Second, "the secondary has the zone", func() bool { return soa(s.address()) != 0 })
			if rcode := notify(t, s.address(), true); rcode != dns.RcodeSuccess {
				t.Errorf("one that is signed: %s", dns.RcodeToString[rcode])
			}
			if rcode := notify(t, s.address(), false); rcode == dns.RcodeSuccess && name != "powerdns" {
				t.Error("one that is not signed is taken")
			}
		})
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
