package server

import (
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/ownerpage"
	"github.com/signpost-acme/signpost/internal/status"
)

// The owner's page is told how far the certificates of its domain are, and nothing of
// any other.
func TestCertificatesOfOneDomain(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	ready := status.Certificate{Ready: true, NotAfter: at(time.Hour)}
	longer := status.Certificate{Ready: true, NotAfter: at(2 * time.Hour)}
	waiting := status.Certificate{}
	for name, tc := range map[string]struct {
		domain status.Domain
		want   ownerpage.Certificates
	}{
		"none":                {status.Domain{}, ownerpage.Certificates{}},
		"one":                 {status.Domain{Certificates: []status.Certificate{ready}}, ownerpage.Certificates{Issuance: ownerpage.Issued, Expires: *ready.NotAfter}},
		"two":                 {status.Domain{Certificates: []status.Certificate{longer, ready}}, ownerpage.Certificates{Issuance: ownerpage.Issued, Expires: *ready.NotAfter}},
		"one of two":          {status.Domain{Certificates: []status.Certificate{waiting, longer}}, ownerpage.Certificates{Issuance: ownerpage.UnderWay, Expires: *longer.NotAfter}},
		"under way":           {status.Domain{Certificates: []status.Certificate{waiting}, Challenges: []status.Challenge{{State: "pending"}}}, ownerpage.Certificates{Issuance: ownerpage.UnderWay}},
		"failed":              {status.Domain{Certificates: []status.Certificate{waiting}, Challenges: []status.Challenge{{State: "invalid"}}}, ownerpage.Certificates{Issuance: ownerpage.Trouble}},
		"refused at the gate": {status.Domain{Certificates: []status.Certificate{waiting}, Requests: []status.Request{{Refused: "no"}}}, ownerpage.Certificates{Issuance: ownerpage.Trouble}},
		"expired":             {status.Domain{Certificates: []status.Certificate{{Ready: true, NotAfter: at(-time.Hour)}}}, ownerpage.Certificates{Issuance: ownerpage.UnderWay}},
	} {
		tc.domain.Scope, tc.domain.Name = "b", "example.com"
		other := status.Domain{Name: "example.com", Certificates: []status.Certificate{{Ready: true, NotAfter: at(9 * time.Hour)}}}
		first, last := other, other
		first.Scope, last.Scope = "a", "c"
		s := status.Snapshot{Domains: []status.Domain{first, tc.domain, last}}
		if got := certificatesOf(s, "b", "example.com", now); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
		for _, missing := range []string{"a.example.com", "example.co", "z"} {
			if got := certificatesOf(s, "b", missing, now); got != (ownerpage.Certificates{}) {
				t.Errorf("%s: %s has %+v", name, missing, got)
			}
		}
		s.Cluster = "cannot be read"
		if got := certificatesOf(s, "b", "example.com", now); got != (ownerpage.Certificates{}) {
			t.Errorf("%s: of a cluster that is not known: %+v", name, got)
		}
	}
}

func TestOwnerURL(t *testing.T) {
	for _, good := range []string{"https://certs.example.com", "https://certs.example.com/records/", "http://127.0.0.1:8090"} {
		if _, err := OwnerURL(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "certs.example.com", "https://", "ftp://x", "https://u:p@x", "https://x?y", "https://x#y", "javascript:alert(1)", `https://x/"y`, "https://x/%41"} {
		if _, err := OwnerURL(bad); err == nil || !strings.Contains(err.Error(), "https://certs.example.com") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
