package dnsserve

import (
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// A zone that is transferred has a TXT record with the serial of its version, at
// zone.SerialName. A secondary that signs changes the SOA's serial and hands this one on
// as it is, so that anybody can ask it which of our versions it has.

// versionText returns the record of the version with that serial, owned by name.
func versionText(name string, serial uint32) dns.RR {
	return &dns.TXT{Hdr: header(name, dns.TypeTXT, ttlChallenge), Txt: []string{zone.SerialText(serial)}}
}

// version adds the record to an answer. It returns false if it is not known which
// version is current.
func (r *responder) version(m *dns.Msg, name string) (known bool) {
	serial, known := r.transfers.Versions.Serial()
	if known {
		m.Answer = []dns.RR{versionText(name, serial)}
	}
	return known
}
