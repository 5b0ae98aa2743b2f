package secondaries

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// RFC 9103: BIND transfers over TLS, with the line of docs/secondaries.md.
func TestRFC9103SecondaryOverTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	secure := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"dot"}, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}

	port, k := freePort(t), kinds["bind"]
	at := freePort(t) // of the secondary
	p := startPrimaryWith(t, redistest.Start(t), port, newKeys(docSecret), secure, fmt.Sprintf("ns1.example.net=127.0.0.1:%d,key=transfer", at))
	const line = "primaries { 192.0.2.53 port 853 key transfer tls ephemeral; };"
	if !strings.Contains(document(t, "secondaries.md"), "\n"+line+"\n") {
		t.Fatal("docs/secondaries.md has another line")
	}
	plain := k.Prepare
	k.Prepare = func(dir string, _ netip.AddrPort, blocks []string) ([]string, error) {
		over := strings.ReplaceAll(strings.ReplaceAll(line, "192.0.2.53", "127.0.0.1"), "853", fmt.Sprint(p.server.TLSAddrs()[0].Port()))
		was := fmt.Sprintf("primaries { %s key transfer; };", k.Primary(local(port)))
		if !strings.Contains(blocks[0], was) {
			t.Fatalf("the recipe has no %q", was)
		}
		return plain(dir, local(at), []string{strings.ReplaceAll(blocks[0], was, over)})
	}
	s := startSecondary(t, k, port)
	s.port = at
	eventually(t, 60*time.Second, "the secondary has the zone", func() bool { return soa(s.address()) != 0 })
	id := uuid.New()
	must(t, p.Add(t.Context(), id, "over TLS"))
	t.Logf("visible after %v", awaits(t, s.address(), id, "over TLS", 20*time.Second))
}
