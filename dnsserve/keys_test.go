package dnsserve

import (
	"fmt"
	"strings"
	"testing"
)

const testSecret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func TestParseKeys(t *testing.T) {
	for text, want := range map[string]string{
		`key "Transfer." { algorithm hmac-sha256; secret "` + testSecret + `"; };`:                                                                                                   "transfer hmac-sha256. 32",
		"# made today\nkey transfer {\n\talgorithm HMAC-SHA512; // long\n\tsecret " + testSecret + ";\n};\n/* old */ key old{secret \"" + testSecret + "\";algorithm hmac-sha256;};": "transfer hmac-sha512. 32, old hmac-sha256. 32",
		"":                  "error: has no key",
		"options { };":      "error: something other than key",
		`key "a" algorithm`: "error: a { is missing",
		`key "a" { algorithm hmac-md5; secret "` + testSecret + `"; };`:   "error: neither hmac-sha256 nor hmac-sha512",
		`key "a" { algorithm hmac-sha1; secret "` + testSecret + `"; };`:  "error: neither hmac-sha256 nor hmac-sha512",
		`key "a" { algorithm hmac-sha256; };`:                             "error: no secret",
		`key "a" { secret "` + testSecret + `"; };`:                       "error: no algorithm",
		`key "a" { algorithm hmac-sha256; secret "c2hvcnQ="; };`:          "error: at least 16",
		`key "a" { algorithm hmac-sha256; secret "TOPSECRET!"; };`:        "error: not base64",
		`key "a" { algorithm hmac-sha256; secret "` + testSecret + `"; }`: "error: ; is missing at the end",
		`key "a" { algorithm hmac-sha256 secret "` + testSecret + `"; };`: "error: ; is missing",
		`key "a" { algorithm hmac-sha256; secret "` + testSecret + ` };`:  "error: quote is not closed",
		`key "a..b" { algorithm hmac-sha256; };`:                          "error: not a domain name",
		`/* key`:                                                          "error: comment does not end",
	} {
		keys, err := ParseKeys(text)
		var got []string
		for _, k := range keys {
			got = append(got, fmt.Sprint(k.Name, " ", k.Algorithm, " ", len(k.Secret)))
		}
		if failure, ok := strings.CutPrefix(want, "error: "); ok {
			if err == nil || !strings.Contains(err.Error(), failure) {
				t.Errorf("%s: %v, want an error with %q", text, err, failure)
			} else if strings.Contains(err.Error(), "TOPSECRET") || strings.Contains(err.Error(), testSecret) {
				t.Errorf("%s: the error shows the secret: %v", text, err)
			}
		} else if err != nil || strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, %v, want %s", text, got, err, want)
		}
	}
}
