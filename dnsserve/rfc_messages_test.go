package dnsserve

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// Messages that miekg/dns would not pack, or would accept, over real sockets. If
// nothing else is said the question is "a. IN A", which is outside the zone. The
// answer's flags are in hexadecimal; its ID and what else must always hold are
// checked by checkAnswer, and that both ways of answering agree.
func TestMessages(t *testing.T) {
	const (
		question = "0161 00 0001 0001"
		opt      = "00 0029 04d0 00000000 0000"
		silence  = ""
		noError  = "8000"
		formErr  = "8001"
		refused  = "8005"
	)
	header := func(counts string) string { return "1234 0000 " + counts }
	one, additional := header("0001 0000 0000 0000"), header("0001 0000 0000 0001")
	octets := func(s string) string { return hex.EncodeToString([]byte(s)) }
	label := func(size int) string { return hex.EncodeToString([]byte{byte(size)}) + strings.Repeat("61", size) }
	zone := "04" + octets("acme") + "07" + octets("example") + "03" + octets("com") + "00" // 18 octets
	const txt = "0010 0001"
	for name, tc := range map[string]struct{ query, flags string }{
		// Header
		"RFC 1035 section 4.1.1: an empty packet is no message":                   {"", silence},
		"RFC 1035 section 4.1.1: eleven octets are no header":                     {"1234 0000 0001 0000 0000 00", silence},
		"RFC 1035 section 4.1.1: an answer is not answered":                       {"1234 8000 0001 0000 0000 0000" + question, silence},
		"RFC 1035 section 4.1.1: an answer that is a bare header is not answered": {"1234 8000 0000 0000 0000 0000", silence},
		"RFC 1035 section 4.1.1: a malformed answer is not answered":              {"1234 8180 0001 0001 0000 0000 c00c", silence},
		"RFC 1035 section 4.1.1: an answer of another opcode is not answered":     {"1234 a400 0001 0000 0000 0000" + question, silence},
		"RFC 1035 section 4.1.1: wellformed":                                      {one + question, refused},
		"RFC 1035 section 4.1.1: of all flags only RD and CD come back":           {"1234 07f0 0001 0000 0000 0000" + question, "8115"},
		"RFC 1035 section 4.1.1: the client's RCODE does not come back":           {"1234 000f 0001 0000 0000 0000" + question, refused},

		// Question
		"RFC 9619 section 4: QDCOUNT 0":                           {header("0000 0000 0000 0000"), formErr},
		"RFC 9619 section 4: QDCOUNT 2":                           {header("0002 0000 0000 0000") + question + question, formErr},
		"RFC 9619 section 4: QDCOUNT 2 with one question":         {header("0002 0000 0000 0000") + question, formErr},
		"RFC 9619 section 4: QDCOUNT 2 with a cookie alone":       {header("0002 0000 0000 0001") + "00 0029 04d0 00000000 000c 000a 0008 0102030405060708", formErr},
		"RFC 9619 section 4: QDCOUNT 65535":                       {header("ffff 0000 0000 0000") + question, formErr},
		"RFC 1035 section 4.1.2: QDCOUNT 1 without a question":    {one, formErr},
		"RFC 1035 section 4.1.2: ends after the name":             {one + "0161 00", formErr},
		"RFC 1035 section 4.1.2: ends after the type":             {one + "0161 00 0001", formErr},
		"RFC 1035 section 4.1.2: ends in a label":                 {one + "0561 61", formErr},
		"RFC 1035 section 4.1.2: ends before the root":            {one + "0161", formErr},
		"RFC 1035 section 4.1.2: octets behind the end":           {one + question + "00", formErr},
		"RFC 1035 section 4.1.2: class 0":                         {one + "0161 00 0001 0000", refused},
		"RFC 1035 section 4.1.2: class 65535":                     {one + zone + "0010 ffff", refused},
		"RFC 1035 section 4.1.2: type 0":                          {one + zone + "0000 0001", "8400"},
		"RFC 1035 section 4.1.4: a name that points at itself":    {one + "c00c 0001 0001", formErr},
		"RFC 1035 section 4.1.4: a label, then a pointer to it":   {one + "0161 c00c 0001 0001", formErr},
		"RFC 1035 section 4.1.4: two pointers at each other":      {one + "c00e c00c 0001 0001", formErr},
		"RFC 1035 section 4.1.4: a name that points forward":      {one + "c012 0001 0001 0161 00", formErr},
		"RFC 1035 section 4.1.4: a name that points into header":  {one + "c000 0001 0001", formErr},
		"RFC 1035 section 4.1.4: a name that points outside":      {one + "ffff 0001 0001", formErr},
		"RFC 6891 section 5: label types 01 and 10 are not there": {one + "4161 00 0001 0001", formErr},
		"RFC 6891 section 5: label type 10":                       {one + "8161 00 0001 0001", formErr},
		"RFC 2181 section 11: a label of 63 octets, in the zone":  {one + label(63) + zone + txt, "8403"},
		"RFC 2181 section 11: a label of 64 octets cannot be":     {one + label(64) + zone + txt, formErr},
		"RFC 2181 section 11: a name of 255 octets, in the zone":  {one + label(63) + label(63) + label(63) + label(44) + zone + txt, "8403"},
		"RFC 2181 section 11: a name of 256 octets cannot be":     {one + label(63) + label(63) + label(63) + label(45) + zone + txt, formErr},
		"RFC 2181 section 11: 127 labels, outside":                {one + strings.Repeat("0161", 127) + "00 0001 0001", refused},
		"RFC 2181 section 11: 128 labels cannot be":               {one + strings.Repeat("0161", 127) + "0100" + "00 0001 0001", formErr},
		"RFC 2181 section 11: a label of the octet 0":             {one + "0100" + zone + txt, "8403"},
		"RFC 2181 section 11: a label that is a dot":              {one + "012e" + zone + txt, "8403"},
		"RFC 2181 section 11: a dot in a label is no end of it":   {one + "10" + octets("acme.example.com") + "00" + txt, refused},
		"RFC 2181 section 11: nor in front of the zone":           {one + "06" + octets("x.acme") + "07" + octets("example") + "03" + octets("com") + "00" + txt, refused},
		"RFC 1035 section 3.1: a zero in a label does not end it": {one + "0c" + octets("acme\x00\x07exampl") + "03" + octets("com") + "00" + txt, refused},

		// Other sections
		"RFC 1035 section 4.1.3: ARCOUNT 1 without a record":            {additional + question, formErr},
		"RFC 1035 section 4.1.3: ANCOUNT 65535 without a record":        {header("0001 ffff 0000 0000") + question, formErr},
		"RFC 1035 section 4.1.3: a record longer than the message":      {additional + question + "00 0001 0001 00000000 ffff 00", formErr},
		"RFC 1035 section 4.1.3: a record with a compressed owner":      {additional + question + "c00c 0001 0001 00000000 0000", refused},
		"RFC 1035 section 4.1.4: a record whose owner points at itself": {additional + question + "c013 0001 0001 00000000 0000", refused},
		"RFC 1995 section 3: a record in the authority section":         {header("0001 0000 0001 0000") + question + "00 0006 0001 00000000 0002 0000", refused},
		"RFC 8945 section 5: a TSIG that nobody understands":            {additional + question + "0162 00 00fa 00ff 00000000 0001 ff", refused},

		// EDNS
		"RFC 6891 section 6.1.1: two OPTs":                                     {header("0001 0000 0000 0002") + question + opt + opt, formErr},
		"RFC 6891 section 6.1.1: OPT behind another record":                    {header("0001 0000 0000 0002") + question + "00 0001 0001 00000000 0000" + opt, refused},
		"RFC 6891 section 6.1.1: OPT in the answer section":                    {header("0001 0001 0000 0000") + question + opt, formErr},
		"RFC 6891 section 6.1.1: OPT in the authority section":                 {header("0001 0000 0001 0000") + question + opt, formErr},
		"RFC 6891 section 6.1.2: OPT whose owner is not the root":              {additional + question + "0161" + opt, formErr},
		"RFC 6891 section 6.1.2: OPT longer than the message":                  {additional + question + "00 0029 04d0 00000000 0004", formErr},
		"RFC 6891 section 6.1.2: an option longer than OPT":                    {additional + question + "00 0029 04d0 00000000 0004 0003 0001", formErr},
		"RFC 6891 section 6.1.2: half an option":                               {additional + question + "00 0029 04d0 00000000 0003 0003 00", formErr},
		"RFC 6891 section 6.1.3: the client's extended RCODE is nothing to us": {additional + question + "00 0029 04d0 ff000000 0000", refused},
		"RFC 9660 section 2: an empty ZONEVERSION option":                      {additional + question + "00 0029 04d0 00000000 0004 0013 0000", refused},
		"RFC 7871 section 7.1: an ECS option that is nonsense":                 {additional + question + "00 0029 04d0 00000000 0005 0008 0001 ff", refused},
		"RFC 5001 section 2.1: NSID with data in the question":                 {additional + question + "00 0029 04d0 00000000 0005 0003 0001 ff", refused},
		"RFC 7828 section 3.2.1: keepalive with a timeout":                     {additional + question + "00 0029 04d0 00000000 0006 000b 0002 0064", refused},
		"RFC 7873 section 5.4: a cookie without a question":                    {header("0000 0000 0000 0001") + "00 0029 04d0 00000000 000c 000a 0008 0102030405060708", noError},
		"RFC 7873 section 5.2.2: an empty cookie":                              {additional + question + "00 0029 04d0 00000000 0004 000a 0000", formErr},
		"RFC 7873 section 5.2.2: two cookies, the first counts":                {additional + question + "00 0029 04d0 00000000 0018 000a 0008 0102030405060708 000a 0008 1112131415161718", refused},

		// Opcodes
		"RFC 3425 section 3: IQUERY with its answer section":     {"1234 0800 0000 0001 0000 0000" + "00 0001 0001 00000000 0004 c0000201", "8804"},
		"RFC 1996 section 3.7: NOTIFY with the new SOA":          {"1234 2400 0001 0001 0000 0000" + zone + "0006 0001" + "c00c 0006 0001 00000000 0002 0000", "a004"},
		"RFC 1996 section 3: NOTIFY without a question":          {"1234 2000 0000 0000 0000 0000", "a004"},
		"RFC 2136 section 2: UPDATE with an update":              {"1234 2800 0001 0000 0001 0000" + zone + "0006 0001" + "c00c 0001 0001 00000000 0004 c0000201", "a804"},
		"RFC 8490 section 5.4: DSO without a question":           {"1234 3000 0000 0000 0000 0000" + "0001 0008 00003a98 00003a98", "b004"},
		"RFC 8906 section 8.1.4: an unknown opcode with garbage": {"1234 7800 0001 0000 0000 0000 ffff", "f804"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(c *Config) { c.Records = challengeRecords() }, "127.0.0.1:0")
			query := unhex(t, tc.query)
			for _, network := range networks {
				got := dial(t, s, network).exchange(t, query)
				switch {
				case tc.flags == silence && got != nil:
					t.Fatalf("%s: answered with %x, want silence", network, got)
				case tc.flags == silence:
					continue
				case len(got) < headerLen || hex.EncodeToString(got[2:4]) != tc.flags:
					t.Fatalf("%s: answer %x, want flags %s", network, got, tc.flags)
				}
				checkAnswer(t, &s.responder, query, got, network == "tcp")
				sameAnswer(t, &s.responder, query, network == "tcp")
			}
		})
	}
}

func TestLongestName(t *testing.T) {
	t.Run("RFC 1035 section 2.3.4: the longest question, and its answer, fit 512 octets", func(t *testing.T) {
		s := serve(t, nil, "127.0.0.1:0")
		name := strings.Join([]string{strings.Repeat("a", 63), strings.Repeat("b", 63), strings.Repeat("c", 63), strings.Repeat("d", 44), "acme.example.com."}, ".")
		query, err := new(dns.Msg).SetQuestion(name, dns.TypeTXT).Pack()
		if err != nil || len(query) != headerLen+maxNameOctets+4 {
			t.Fatal(len(query), err)
		}
		answer := dial(t, s, "udp").exchange(t, query)
		m := new(dns.Msg)
		if err := m.Unpack(answer); err != nil || m.Truncated || len(m.Ns) != 1 || !slices.Equal(answer[headerLen:len(query)], query[headerLen:]) {
			t.Errorf("%v, %v", m, err)
		}
	})
}
