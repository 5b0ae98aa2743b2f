package zone_test

import (
	"strings"
	"testing"
)

func TestNameservers(t *testing.T) {
	z := mustZone(t, "acme.example.com")
	got, err := z.Nameservers([]string{"NS.example.com.", "ns2.acme.example.com=192.0.2.1,2001:db8::1"})
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Name != "ns.example.com" || len(got[0].Addresses) != 0 || len(got[1].Addresses) != 2 {
		t.Errorf("Nameservers = %v", got)
	}
	const target = "01917426-a1cd-547e-bc8e-ca4d7b697e62.acme.example.com=192.0.2.1"
	for _, tc := range []struct {
		list []string
		want string
	}{
		{nil, "a nameserver is needed"},
		{[]string{"ns.acme.example.com"}, "needs its addresses"},
		{[]string{"acme.example.com=192.0.2.1"}, "the zone itself"},
		{[]string{"ns.example.com", "NS.example.com"}, "twice"},
		{[]string{"ns.example.com=192.0.2"}, "not an IPv4 or IPv6 address"},
		{[]string{"ns.example.com="}, "not an IPv4 or IPv6 address"},
		{[]string{"ns.example.com=fe80::1%eth0"}, "not an IPv4 or IPv6 address"},
		{[]string{"192.0.2.1"}, "IP address, not a name"},
		{[]string{target, "x." + target}, "shape of a target"},
	} {
		if got, err := z.Nameservers(tc.list); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Nameservers(%q) = %v, %v, want an error with %q", tc.list, got, err, tc.want)
		}
	}
}
