package zone_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/internal/zone"
)

func TestParseSecondary(t *testing.T) {
	for text, want := range map[string]string{
		"NS1.Example.net.=192.0.2.1":                          "ns1.example.net [192.0.2.1] [192.0.2.1:53] [192.0.2.1:53] []",
		"ns1.example.net=192.0.2.1,2001:db8::1,key=Transfer.": "ns1.example.net [192.0.2.1 2001:db8::1] [192.0.2.1:53 [2001:db8::1]:53] [192.0.2.1:53 [2001:db8::1]:53] [transfer]",
		"ns1.example.net=[2001:db8::1]:5353,key=new,key=old":  "ns1.example.net [2001:db8::1] [[2001:db8::1]:5353] [[2001:db8::1]:5353] [new old]",
		"ns1.example.net=192.0.2.1,notify=198.51.100.7:1053":  "ns1.example.net [192.0.2.1] [192.0.2.1:53] [198.51.100.7:1053] []",
		"ns1.example.net=192.0.2.1:53,192.0.2.1:5353":         "ns1.example.net [192.0.2.1] [192.0.2.1:53 192.0.2.1:5353] [192.0.2.1:53 192.0.2.1:5353] []",
		"ns1.example.net":                        "error: has no address",
		"ns1.example.net=key=transfer":           "error: has no address",
		"ns1.example.net=192.0.2.1,key=":         "error: without a name",
		"ns1.example.net=192.0.2.1,key=a,key=A.": "error: given twice",
		"ns1.example.net=192.0.2.1,192.0.2.1":    "error: given twice",
		"ns1.example.net=ns2.example.net":        "error: not an IPv4 or IPv6 address",
		"ns1.example.net=192.0.2.1:0":            "error: not an IPv4 or IPv6 address",
		"ns1.example.net=fe80::1%eth0":           "error: not an IPv4 or IPv6 address",
		"=192.0.2.1":                             "error: is empty",
		"127.0.0.1:25301,key=transfer":           "error: has no name; write name=address,address,key=NAME,notify=address",
		"192.0.2.1":                              "error: has no name; write name=",
		"2001:db8::1,192.0.2.1":                  "error: has no name; write name=",
		"ns1.example.net=192.0.2.1,keys=a":       "error: there is no part keys=; write name=address,address,key=NAME,notify=address",
		"ns1.example.net=192.0.2.1,TYPO":         "error: \"TYPO\" is not an IPv4 or IPv6 address, with or without a port; write name=address,address,key=NAME,notify=address",
	} {
		s, err := zone.ParseSecondary(text)
		got := fmt.Sprintf("%s %v %v %v %v", s.Name, s.Addresses, s.Servers, s.Notify, s.Keys)
		if failure, ok := strings.CutPrefix(want, "error: "); ok {
			if err == nil || !strings.Contains(err.Error(), failure) {
				t.Errorf("%s: %v, want an error with %q", text, err, failure)
			}
		} else if err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestSecondariesAreNameservers(t *testing.T) {
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	secondaries, err := z.Secondaries([]string{"ns1.example.net=192.0.2.1:5353", "ns2.acme.example.com=192.0.2.2"})
	if err != nil {
		t.Fatal(err)
	}
	for want, list := range map[string][]string{
		"[{ns1.example.net [192.0.2.1]} {ns2.acme.example.com [192.0.2.2]}]":                     nil,
		"[{ns.example.com []} {ns1.example.net [192.0.2.1]} {ns2.acme.example.com [192.0.2.2]}]": {"ns.example.com"},
		"[{ns1.example.net [192.0.2.9]} {ns.example.com []} {ns2.acme.example.com [192.0.2.2]}]": {"ns1.example.net=192.0.2.9", "ns.example.com"},
	} {
		got, err := z.WithSecondaries(list, secondaries)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v, want %s", list, got, err, want)
		}
	}
	for _, name := range []string{"_serial.acme.example.com", "ns._serial.acme.example.com"} {
		secondaries, err := z.Secondaries([]string{name + "=192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.WithSecondaries(nil, secondaries); err == nil || !strings.Contains(err.Error(), "choose another") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := z.WithSecondaries(nil, nil); err == nil {
		t.Error("a zone without any nameserver")
	}
	for _, list := range [][]string{
		{"ns1.example.net=192.0.2.1", "NS1.example.net.=192.0.2.2"},
		{"acme.example.com=192.0.2.1"},
	} {
		if got, err := z.Secondaries(list); err == nil {
			t.Errorf("%q are secondaries: %v", list, got)
		}
	}
}

// RFC 1982 section 3.2: a serial wraps, and one that is half the circle away is not
// before another.
func TestRFC1982Section3_2(t *testing.T) {
	for _, tc := range []struct {
		a, b uint32
		want bool
	}{
		{1, 2, true}, {2, 1, false}, {7, 7, false}, {0xffffffff, 0, true}, {0, 0xffffffff, false},
		{1, 1 << 31, true}, {0, 1 << 31, false}, {1 << 31, 0, false}, {0xf0000000, 0x10000000, true},
	} {
		if got := zone.SerialLess(tc.a, tc.b); got != tc.want {
			t.Errorf("%d before %d: %v", tc.a, tc.b, got)
		}
	}
}
