package zone

import "net/netip"

// notGlobal are the addresses that the Internet does not reach, of IPv6 those inside
// 2000::/3, outside of which nothing is reached (the IANA special-purpose address
// registries, RFC 6890).
var notGlobal = []struct {
	prefix netip.Prefix
	why    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "of this network (RFC 1122)"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private (RFC 1918)"},
	{netip.MustParsePrefix("100.64.0.0/10"), "of a provider's NAT (RFC 6598)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private (RFC 1918)"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved (RFC 6890)"},
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation (RFC 5737)"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private (RFC 1918)"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks (RFC 2544)"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation (RFC 5737)"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation (RFC 5737)"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved (RFC 1112)"},
	{netip.MustParsePrefix("::1/128"), "a loopback address"},
	{netip.MustParsePrefix("fc00::/7"), "private (RFC 4193)"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation (RFC 3849)"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation (RFC 9637)"},
}

var globalIPv6 = netip.MustParsePrefix("2000::/3")

// Unreachable says why the Internet, and with it a public CA, cannot reach an
// address: what it is, as in "10.0.0.1 is private (RFC 1918)"; "" if nothing keeps
// it from that.
func Unreachable(a netip.Addr) string {
	a = a.Unmap()
	for _, n := range notGlobal {
		if n.prefix.Contains(a) {
			return n.why
		}
	}
	if a.Is6() && !globalIPv6.Contains(a) {
		return "not a global address (RFC 4291)"
	}
	return ""
}
