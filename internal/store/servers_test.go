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
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// startTLS starts a server that speaks only TLS and wants user and password.
func startTLS(t *testing.T) (*redistest.Server, store.RedisOptions) {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
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
	certFile, keyFile := write("cert.pem", "CERTIFICATE", cert), write("key.pem", "EC PRIVATE KEY", der)
	passwordFile := filepath.Join(dir, "password")
	must(t, os.WriteFile(passwordFile, []byte("correct horse\n"), 0o600))
	server := redistest.Start(t, "--tls-port", "0", "--tls-cert-file", certFile, "--tls-key-file", keyFile,
		"--tls-ca-cert-file", certFile, "--tls-auth-clients", "no",
		"--user", "signpost", "on", ">correct horse", "~signpost:*", "&signpost:*", "+@all", "--user", "default", "off")
	return server, store.RedisOptions{
		URL: "rediss://" + server.Addr, CAFile: certFile, Username: "signpost", PasswordFile: passwordFile,
	}
}

// startCluster starts a Cluster of two masters that share the slots.
func startCluster(t *testing.T) (a, b *redistest.Server) {
	t.Helper()
	a, b = redistest.Start(t, "--cluster-enabled", "yes"), redistest.Start(t, "--cluster-enabled", "yes")
	a.Do("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
	b.Do("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
	host, port, _ := net.SplitHostPort(b.Addr)
	a.Do("CLUSTER", "MEET", host, port)
	for _, s := range []*redistest.Server{a, b} {
		eventually(t, "cluster is up", func() bool {
			return strings.Contains(s.Do("CLUSTER", "INFO").(string), "cluster_state:ok") &&
				strings.Contains(s.Do("CLUSTER", "INFO").(string), "cluster_known_nodes:2")
		})
	}
	return a, b
}
