package world

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/process"
)

// DynamicZone is a domain whose DNS is Knot, which takes updates by RFC 2136.
const DynamicZone = "dynamic.example.com"

// StartKnot starts Knot with DynamicZone, delegates that to it, and returns how
// cert-manager reaches it from a ClusterIssuer.
func (w *World) StartKnot(ctx context.Context) (*acmev1.ACMEIssuerDNS01ProviderRFC2136, error) {
	bin, err := process.Look("knotd")
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	key := base64.StdEncoding.EncodeToString(secret)
	dir := filepath.Join(w.Dir, "knot")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	zone := fmt.Sprintf("$ORIGIN %[1]s.\n@ 0 IN SOA ns.%[1]s. hostmaster.%[1]s. 1 3600 600 604800 0\n@ 60 IN NS ns.%[1]s.\nns 60 IN A %[2]s\n", DynamicZone, KnotAddress)
	conf := fmt.Sprintf(`server:
  listen: %[1]s@53
  rundir: "%[2]s"
database:
  storage: "%[2]s"
key:
  - id: cert-manager
    algorithm: hmac-sha256
    secret: %[3]s
acl:
  - id: update
    key: cert-manager
    action: update
zone:
  - domain: %[4]s
    file: "%[2]s/zone.txt"
    zonefile-sync: -1
    acl: update
`, KnotAddress, dir, key, DynamicZone)
	for name, text := range map[string]string{"zone.txt": zone, "knot.conf": conf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	p := w.process("knot", bin, "-c", filepath.Join(dir, "knot.conf"))
	if err := w.start(p); err != nil {
		return nil, err
	}
	if err := p.Listens(ctx, KnotAddress+":53"); err != nil {
		return nil, err
	}
	delegation := fmt.Sprintf("%[1]s. NS ns.%[1]s.\nns.%[1]s. A %[2]s", DynamicZone, KnotAddress)
	if err := w.Parent.Set(ctx, "example.com", "dynamic", delegation); err != nil {
		return nil, err
	}
	_, err = w.Kube.CoreV1().Secrets(CertManagerNamespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "knot"}, StringData: map[string]string{"key": key},
	}, metav1.CreateOptions{})
	return &acmev1.ACMEIssuerDNS01ProviderRFC2136{
		Nameserver: KnotAddress + ":53", TSIGKeyName: "cert-manager", TSIGAlgorithm: "HMACSHA256",
		TSIGSecret: cmmeta.SecretKeySelector{LocalObjectReference: cmmeta.LocalObjectReference{Name: "knot"}, Key: "key"},
	}, err
}
