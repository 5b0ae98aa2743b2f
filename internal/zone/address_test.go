package zone_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/internal/zone"
)

func TestUnreachable(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1": "loopback", "::1": "loopback", "10.1.2.3": "private", "172.16.0.1": "private", "172.31.255.255": "private",
		"192.168.1.1": "private", "::ffff:10.0.0.1": "private", "100.64.0.1": "NAT", "100.127.255.255": "NAT", "169.254.1.1": "link-local", "fe80::1": "link-local",
		"fd00::1": "private", "192.0.2.1": "documentation", "198.51.100.7": "documentation", "203.0.113.7": "documentation", "2001:db8::1": "documentation",
		"3fff::1": "documentation", "198.19.0.1": "benchmarks", "0.0.0.0": "this network", "::": "not a global", "224.0.0.1": "multicast", "ff02::1": "multicast",
		"255.255.255.255": "reserved", "64:ff9b::1": "not a global",
		"1.1.1.1": "", "100.63.0.1": "", "100.128.0.1": "", "172.15.0.1": "", "172.32.0.1": "", "192.169.0.1": "", "2606:4700::1": "", "2a00::1": "",
	} {
		got := zone.Unreachable(netip.MustParseAddr(address))
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("Unreachable(%s) = %q, want %q in it", address, got, want)
		}
	}
}
