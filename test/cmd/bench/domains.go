package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

const (
	domainsSettle = time.Minute
	domainsRest   = time.Minute
	domainsSample = 9
	domainsIssuer = "domains"
)

// domainsSizes are how many Certificates there are: of each hundred five wait for their
// record, one of these with dead DNS servers.
var domainsSizes = []int{0, 1000, 10_000}

// domainsBefore was measured of the first page, on a machine like this.
const domainsBefore = `| 0, before | 71 MiB | 0.9 % | – | – | 3 KB | 6 KB, 3 ms |
| 1,000, before | 90 MiB | 3.2 % | – | – | 0.95 MB | 1.9 MB, 125 ms |
| 10,000, before | 225 MiB | 11–13 % | – | – | 9.4 MB | 18.5 MB, 1.5–2.1 s |
`

// manyDomains measures what thousands of domains cost the replicas, and the page.
// Nobody issues: the Certificates are made by hand.
func manyDomains(ctx context.Context, dir, bin string) (string, error) {
	starting, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	w, err := world.Start(starting, world.Options{Dir: dir, Bin: bin, Replicas: 2, NoCertManager: true})
	if err != nil {
		return "", err
	}
	defer w.Stop()
	if err := w.CreateIssuer(ctx, world.IssuerOptions{Name: domainsIssuer}); err != nil {
		return "", err
	}
	if err := w.Namespace(ctx, domainsIssuer); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Certificates made by hand, so that nobody issues; of each hundred five wait for their record, one of these in a zone whose\n"+
		"servers are dead. Each has its CertificateRequest. Two replicas; memory and CPU are of the one that needs more, the latter of a\n"+
		"minute, %d s after all were looked at. The rows \"before\" are of the first page, whose Certificates had no requests.\n\n"+
		"| Certificates | memory, and without what is mapped from files | CPU at rest | all looked at after | and once an hour, CPU | `/status.json` | live part of the page |\n|---:|---:|---:|---:|---:|---:|---:|\n%s", int(domainsSettle.Seconds()), domainsBefore)
	n := 0
	var last pageCost
	for _, size := range domainsSizes {
		begin, cpu := time.Now(), cpuOf(w)
		if err := addDomains(ctx, w, n, size); err != nil {
			return "", err
		}
		n = size
		made := time.Since(begin)
		if err := allLookedAt(ctx, size); err != nil {
			return "", err
		}
		looked, burst := time.Since(begin)-made, cpuOf(w)
		if err := pause(ctx, domainsSettle); err != nil { // what the Go runtime has freed goes back, and zones that do not answer are asked less often
			return "", err
		}
		mib, own, percent := atRestOf(w, domainsRest)
		if last, err = costOfPage(ctx); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| %d | %.0f MiB, %.0f | %.1f %% | %.0f s | %.1f %% | %.2f MB | %.1f KB, %.0f ms |\n", size, mib, own, percent, looked.Seconds(),
			100*slices.Max(less(burst, cpu))/3600, float64(last.json)/1e6, float64(last.live)/1e3, ms(last.liveTook))
	}
	fmt.Fprintf(&b, "\nWith %d: the page has %.0f KB, its first byte is there after %.0f ms (median of %d).\n", n, float64(last.page)/1e3, ms(last.pageFirst), domainsSample)
	seen, err := recordsSeen(ctx, w)
	if err != nil {
		return "", err
	}
	back, err := valuesBack(ctx, w)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "A record that appears is seen after %.1f s (median; %.1f s at most), a value that Redis has lost is back after %.1f s (%.1f s at most).\n",
		percentile(seen, 50).Seconds(), slices.Max(seen).Seconds(), percentile(back, 50).Seconds(), slices.Max(back).Seconds())
	return b.String(), w.Err()
}

// cpuOf returns the processor time of each replica, in seconds.
func cpuOf(w *world.World) (list []float64) {
	for _, r := range w.Replicas {
		list = append(list, (&server{Process: r.Process}).cpu().Seconds())
	}
	return list
}

func less(a, b []float64) (list []float64) {
	for i := range a {
		list = append(list, a[i]-b[i])
	}
	return list
}

func atRestOf(w *world.World, d time.Duration) (mib, own, percent float64) {
	before := cpuOf(w)
	time.Sleep(d)
	for _, r := range w.Replicas {
		s := &server{Process: r.Process}
		mib, own = max(mib, s.memory()), max(own, s.ownMemory())
	}
	return mib, own, 100 * slices.Max(less(cpuOf(w), before)) / d.Seconds()
}

func manyDomain(i int) string {
	switch i % 100 {
	case 7:
		return fmt.Sprintf("dead-%d.example.com", i)
	case 17, 37, 57, 77:
		return fmt.Sprintf("waits-%d.example.com", i)
	}
	return fmt.Sprintf("shop-%d.example.com", i)
}

// addDomains makes Certificates number from to to, with their records and with their
// requests, which are done or wait for a record.
func addDomains(ctx context.Context, w *world.World, from, to int) error {
	var records []string
	for i := from; i < to; i++ {
		switch d := manyDomain(i); d[0] {
		case 'd': // nobody has this address
			records = append(records, fmt.Sprintf("%s. NS ns.%s.\nns.%s. A 192.0.2.240", d, d, d))
		case 's':
			record, err := ownersRecord(d)
			if err != nil {
				return err
			}
			records = append(records, record)
		}
	}
	if len(records) > 0 {
		if err := w.Parent.Set(ctx, "example.com", fmt.Sprint("domains-", from), strings.Join(records, "\n")); err != nil {
			return err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(16)
	for i := from; i < to; i++ {
		group.Go(func() error { return addDomain(ctx, w, i, key) })
	}
	return group.Wait()
}

func addDomain(ctx context.Context, w *world.World, i int, key *ecdsa.PrivateKey) error {
	name, domain := fmt.Sprint("c", i), manyDomain(i)
	if err := w.CreateCertificate(ctx, domainsIssuer, name, "ClusterIssuer", domainsIssuer, "*."+domain, domain); err != nil {
		return err
	}
	certificates := w.CM.CertmanagerV1().Certificates(domainsIssuer)
	c, err := certificates.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	condition := cmv1.CertificateCondition{Type: cmv1.CertificateConditionReady, Status: cmmeta.ConditionTrue, Reason: "Ready", Message: "Certificate is up to date and has not expired"}
	if domain[0] != 's' {
		condition.Status, condition.Reason, condition.Message = cmmeta.ConditionFalse, "DoesNotExist", "Issuing certificate as Secret does not exist"
	} else {
		expiry := metav1.NewTime(time.Now().Add(time.Duration(30+i%60) * 24 * time.Hour))
		renewal := metav1.NewTime(expiry.Add(-30 * 24 * time.Hour).Add(25 * time.Hour))
		c.Status.NotAfter, c.Status.RenewalTime = &expiry, &renewal
	}
	c.Status.Conditions = []cmv1.CertificateCondition{condition}
	if _, err = certificates.UpdateStatus(ctx, c, metav1.UpdateOptions{}); err != nil {
		return err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"*." + domain, domain}}, key)
	if err != nil {
		return err
	}
	requests := w.CM.CertmanagerV1().CertificateRequests(domainsIssuer)
	r, err := requests.Create(ctx, &cmv1.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name + "-1", Annotations: map[string]string{cmv1.CertificateNameKey: name, cmv1.CertificateRequestRevisionAnnotationKey: "1"}},
		Spec: cmv1.CertificateRequestSpec{IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: domainsIssuer},
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	ready := cmv1.CertificateRequestCondition{Type: cmv1.CertificateRequestConditionReady, Status: cmmeta.ConditionFalse, Reason: cmv1.CertificateRequestReasonPending,
		Message: "Failed create new order resource " + domainsIssuer + "/" + name + "-1: admission webhook denied the request"}
	if domain[0] == 's' {
		ready.Status, ready.Reason, ready.Message = cmmeta.ConditionTrue, cmv1.CertificateRequestReasonIssued, "Certificate fetched from issuer successfully"
		r.Status.Certificate = bytes.Repeat([]byte("a chain of two certificates, in PEM\n"), 100)
	}
	r.Status.Conditions = []cmv1.CertificateRequestCondition{ready}
	_, err = requests.UpdateStatus(ctx, r, metav1.UpdateOptions{})
	return err
}
