package faults

import (
	"context"
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
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// The password is changed in Redis first, and Signpost's file some time later.
func redisPassword(t *testing.T) row {
	redis := redistest.Start(t, "--user", "signpost", "on", ">old", "~signpost:*", "&signpost:*", "+@all")
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte("old\n"), 0o600))
	s := newStage(t, "redis-password", redis.URL())
	s.flags = []string{"--redis-username", "signpost", "--redis-password-file", file}
	s.start(2, false)
	return s.run(fault{
		begin: func() {
			redis.Do("ACL", "SETUSER", "signpost", "resetpass", ">new")
			redis.Do("CLIENT", "KILL", "USER", "signpost")
		},
		end:   func() { must(t, os.WriteFile(file, []byte("new\n"), 0o600)) },
		lasts: away,
		known: []string{"value"}, unknown: []string{nothing, servfail}, present: "fails", cleanUp: "fails",
	})
}

func redisCertificate(t *testing.T) row {
	c := newCertificates(t)
	socket := filepath.Join(t.TempDir(), "redis.sock")
	redisServer := redistest.Start(t, "--tls-port", "0", "--tls-cert-file", c.valid, "--tls-key-file", c.key,
		"--tls-ca-cert-file", c.ca, "--tls-auth-clients", "no", "--unixsocket", socket)
	admin := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	t.Cleanup(func() { admin.Close() })
	use := func(cert string) {
		must(t, admin.Do(context.Background(), "CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", c.key).Err())
		for _, kind := range []string{"normal", "pubsub"} {
			must(t, admin.Do(context.Background(), "CLIENT", "KILL", "TYPE", kind).Err())
		}
	}
	s := newStage(t, "redis-certificate", "rediss://"+redisServer.Addr)
	s.flags = []string{"--redis-ca-file", c.ca}
	s.start(2, false)
	return s.run(fault{
		begin: func() { use(c.expired) }, end: func() { use(c.valid) }, lasts: away,
		known: []string{"value"}, unknown: []string{nothing, servfail}, present: "fails", cleanUp: "fails",
	})
}

// certificates are files: a key with one certificate that is valid and one that
// is not any more.
type certificates struct{ key, valid, expired, ca string }

func newCertificates(t *testing.T) certificates {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	write := func(name, kind string, ders ...[]byte) string {
		var text []byte
		for _, der := range ders {
			text = slices.Concat(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
		}
		file := filepath.Join(dir, name)
		must(t, os.WriteFile(file, text, 0o600))
		return file
	}
	issue := func(serial int64, until time.Duration) []byte {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "redis"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(until),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		must(t, err)
		return der
	}
	der, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	valid, expired := issue(1, time.Hour), issue(2, -time.Minute)
	return certificates{
		key:   write("key.pem", "EC PRIVATE KEY", der),
		valid: write("valid.pem", "CERTIFICATE", valid), expired: write("expired.pem", "CERTIFICATE", expired),
		ca: write("ca.pem", "CERTIFICATE", valid, expired),
	}
}
