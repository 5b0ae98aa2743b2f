package server

import (
	"net/netip"
	"testing"
)

func TestAdvertised(t *testing.T) {
	parse := func(list ...string) (out []netip.AddrPort) {
		for _, s := range list {
			out = append(out, netip.MustParseAddrPort(s))
		}
		return out
	}
	for _, tc := range []struct {
		bound []netip.AddrPort
		want  string
	}{
		{parse("192.0.2.1:53"), "192.0.2.1:53"},
		{parse("127.0.0.53:53", "[2001:db8::1]:53"), "[2001:db8::1]:53"},
		{parse("127.0.0.53:53"), "127.0.0.53:53"},
	} {
		if got := advertised(tc.bound).String(); got != tc.want {
			t.Errorf("advertised(%v) = %s, want %s", tc.bound, got, tc.want)
		}
	}
	if got := advertised(parse("0.0.0.0:1053", "[::]:1053")); got.Port() != 1053 || got.Addr().IsUnspecified() {
		t.Errorf("advertised for all addresses = %s", got)
	}
}
