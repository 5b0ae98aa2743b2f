package cluster

import (
	"crypto/x509"
	"encoding/pem"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// parsed remembers what is in the PEM of requests, which never changes, as long as
// they are looked at. The zero value is empty.
type parsed struct {
	mu   sync.Mutex
	what map[types.UID]*names // nil for one that cannot be parsed
}

// maxParsed bounds it; beyond, everything is parsed again.
const maxParsed = 50_000

func (p *parsed) names(uid types.UID, text []byte) (names, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, known := p.what[uid]
	if !known {
		n = parseRequest(text)
		if p.what == nil || len(p.what) >= maxParsed {
			p.what = map[types.UID]*names{}
		}
		p.what[uid] = n
	}
	if n == nil {
		return names{}, false
	}
	return *n, true
}

// parseRequest returns what a PKCS #10 request in PEM asks for, nil for one that
// cert-manager will refuse.
func parseRequest(text []byte) *names {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil
	}
	var ips []string
	for _, ip := range csr.IPAddresses {
		ips = append(ips, ip.String())
	}
	n := orderedNames(csr.DNSNames, csr.Subject.CommonName, ips)
	return &n
}
