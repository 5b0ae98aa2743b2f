package world

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority is a CA whose files, like those of what it issues, are in dir.
type authority struct {
	dir, name string
	cert      *x509.Certificate
	key       crypto.Signer
}

// newAuthority makes a CA and writes <name>.crt.
func newAuthority(dir, name string) (*authority, error) {
	a := &authority{dir: dir, name: name}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, key, err := a.sign(template)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.key = key
	return a, writePEM(a.certFile(), "CERTIFICATE", der)
}

func (a *authority) certFile() string { return filepath.Join(a.dir, a.name+".crt") }

// pem returns the CA's certificate.
func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// CABundle returns, as PEM, the certificate of the CA that everything inside has
// its own from, but for the certificates that are issued.
func (w *World) CABundle() []byte { return w.ca.pem() }

// issue writes a certificate for client and server use, and its key, and returns their files.
func (a *authority) issue(name string, subject pkix.Name, hosts ...string) (certFile, keyFile string, err error) {
	return a.issueUntil(time.Time{}, name, subject, hosts...)
}

// issueUntil is issue for a certificate that ends then; zero for one that is valid for long.
func (a *authority) issueUntil(end time.Time, name string, subject pkix.Name, hosts ...string) (certFile, keyFile string, err error) {
	template := &x509.Certificate{
		Subject: subject, NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, key, err := a.sign(template)
	if err != nil {
		return "", "", err
	}
	certFile = filepath.Join(a.dir, name+".crt")
	if err := writePEM(certFile, "CERTIFICATE", der); err != nil {
		return "", "", err
	}
	keyFile, err = writeKey(a.dir, name, key)
	return certFile, keyFile, err
}

// sign signs template with the CA's key, or, for the CA itself, with its own.
func (a *authority) sign(template *x509.Certificate) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(240 * time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	return der, key, err
}

func writeKey(dir, name string, key *ecdsa.PrivateKey) (file string, err error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, name+".key")
	return file, writePEM(file, "EC PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
