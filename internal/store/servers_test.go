package store_test

import (
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
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// startTLS starts a server that speaks only TLS and wants user and password.
func startTLS(t *testing.T) (*redistest.Server, store.RedisOptions) {
	t.Helper()
	cert, key := certificate(t, "127.0.0.1")
	passwordFile := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(passwordFile, []byte("correct horse\n"), 0o600))
	server := redistest.Start(t, append(tlsArgs(cert, key),
		"--user", "signpost", "on", ">correct horse", "~signpost:*", "&signpost:*", "+@all", "--user", "default", "off")...)
	return server, store.RedisOptions{
		URL: "rediss://" + server.Addr, CAFile: cert, Username: "signpost", PasswordFile: passwordFile,
	}
}

func tlsArgs(cert, key string) []string {
	return []string{"--tls-port", "0", "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"}
}

// certificate makes one that is its own CA, for a name or an address.
func certificate(t *testing.T, name string) (certFile, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	write := func(name, kind string, b []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600))
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "EC PRIVATE KEY", der)
}
