package dnsserve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// testCertificate is for ns.example.com.
func testCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"ns.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// RFC 9103: transfers over TLS 1.3, with ALPN "dot"; TSIG decides as over TCP.
func TestRFC9103TransferOverTLS(t *testing.T) {
	certificate, pool := testCertificate(t)
	v := newVersions()
	s := serve(t, func(c *Config) {
		list, _ := c.Zone.Secondaries([]string{"ns1.example.net=192.0.2.1,key=transfer"})
		c.Transfers = &Transfers{
			Versions: v, Secondaries: list, Keys: func() []Key { return []Key{testKey} }, ListenTLS: []string{"127.0.0.1:0"},
			TLS: &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"dot"}, Certificates: []tls.Certificate{certificate}},
		}
	}, "127.0.0.1:0")
	address := s.TLSAddrs()[0].String()
	connect := func(change func(*tls.Config)) (*tls.Conn, error) {
		config := &tls.Config{RootCAs: pool, ServerName: "ns.example.com", NextProtos: []string{"dot"}, MinVersion: tls.VersionTLS12}
		change(config)
		conn, err := tls.Dial("tcp", address, config)
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			t.Cleanup(func() { conn.Close() })
		}
		return conn, err
	}
	exchange := func(conn *tls.Conn, wire []byte) (*dns.Msg, error) {
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)); err != nil {
			return nil, err
		}
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return nil, err
		}
		buf := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, buf); err != nil {
			return nil, err
		}
		m := &dns.Msg{}
		return m, m.Unpack(buf)
	}
	signed, _ := signedBy(t, axfr(), testKey, nil)
	unsigned, _ := axfr().Pack()

	t.Run("RFC 9103 section 7.1: a transfer", func(t *testing.T) {
		conn, err := connect(func(*tls.Config) {})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // over one connection
			if m, err := exchange(conn, signed); err != nil || len(m.Answer) != 5 || m.IsTsig() == nil {
				t.Errorf("%v, %v", m, err)
			}
		}
		if m, err := exchange(conn, unsigned); err != nil || m.Rcode != dns.RcodeRefused {
			t.Errorf("without a key: %v, %v", m, err)
		}
	})
	t.Run("RFC 9103 section 8.1: TLS 1.2 is refused", func(t *testing.T) {
		if _, err := connect(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }); err == nil {
			t.Error("connected")
		}
	})
	t.Run("RFC 9103 section 7.1: another protocol is refused", func(t *testing.T) {
		for _, protocols := range [][]string{{"http/1.1"}, nil} {
			conn, err := connect(func(c *tls.Config) { c.NextProtos = protocols })
			if err == nil {
				_, err = exchange(conn, signed)
			}
			if err == nil {
				t.Errorf("%q: answered", protocols)
			}
		}
	})
}
