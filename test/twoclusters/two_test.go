package twoclusters

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

const (
	again  = "again.example.com" // issued again and again, in both clusters
	slow   = "slow.example.com"  // whose challenge is under way all the time, in both: without a CNAME the self-check waits
	rounds = 4
)

// Two clusters issue for the same wildcard, with one CNAME, again and again. Neither
// takes away what the other has presented, each puts back its own, each waits for the
// other's replicas, and for none any more when the other cluster is gone.
func TestTwoClusters(t *testing.T) {
	target, err := world.Target(world.CertManagerNamespace, again)
	must(t, err)
	must(t, first.Parent.SetCNAME(t.Context(), "example.com", again, target))
	values := map[string]string{} // of the slow challenges, by cluster
	for name, w := range map[string]*world.World{"first": first, "second": second} {
		createIssuer(t, w, world.IssuerOptions{Name: "slow", SelfCheck: true, NoGate: true})
		createCertificate(t, w, "slow", "slow", slow)
		eventually(t, "the slow challenge is presented", func() (err error) {
			values[name], err = value(t.Context(), w, slow)
			return err
		})
	}
	bothAreThere := func(when string) {
		t.Helper()
		eventually(t, when+", the values of both clusters are in Redis", func() error {
			return equal(inRedis(t, slow), values["first"], values["second"])
		})
	}
	bothAreThere("presented")

	var wg sync.WaitGroup
	for name, w := range map[string]*world.World{"first": first, "second": second} {
		wg.Go(func() {
			for i := range rounds {
				took := issue(t, w, fmt.Sprintf("%s-%d", name, i))
				t.Logf("%s cluster, round %d: Ready after %.1f s", name, i, took.Seconds())
			}
		})
	}
	wg.Wait()
	bothAreThere("after both have issued and cleaned up")
	eventually(t, "nothing is left of what was issued", func() error { return equal(inRedis(t, again)) })

	must(t, first.Redis.Flush(t.Context()))
	bothAreThere("after Redis has lost everything")

	killed := killWhileIssuing(t)
	for i := range 3 {
		took := issue(t, first, fmt.Sprintf("alone-%d", i))
		t.Logf("the second cluster is being killed, or gone, round %d: Ready after %.1f s", i, took.Seconds())
	}
	<-killed
	if len(inRedis(t, again)) > 1 {
		t.Errorf("the first cluster has left a value: %q", inRedis(t, again))
	}
	bothAreThere("with one cluster gone")

	must(t, first.CM.CertmanagerV1().Certificates("two").Delete(t.Context(), "slow", metav1.DeleteOptions{}))
	must(t, first.CM.CertmanagerV1().CertificateRequests("two").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	must(t, first.CM.AcmeV1().Orders("two").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	must(t, first.CM.AcmeV1().Challenges("two").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	eventually(t, "the first cluster has cleaned its own value up, and no other", func() error {
		return equal(inRedis(t, slow), values["second"])
	})
}

// killWhileIssuing has the second cluster issue, and kills it when it has presented a
// value, which stays. What it returns is closed then.
func killWhileIssuing(t *testing.T) <-chan struct{} {
	t.Helper()
	createIssuer(t, second, world.IssuerOptions{Name: "killed", SelfCheck: true}) // so that it is under way for a minute
	createCertificate(t, second, "killed", "killed", again)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := poll.Try(t.Context(), time.Minute, "the second cluster has presented a challenge", func() error {
			_, err := value(t.Context(), second, again)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		second.Kill()
	}()
	return done
}

// issue issues the wildcard once more, under an account of its own: the CA asks again.
func issue(t *testing.T, w *world.World, name string) time.Duration {
	t.Helper()
	createIssuer(t, w, world.IssuerOptions{Name: name})
	begin := time.Now()
	createCertificate(t, w, name, name, again)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := w.WaitReady(ctx, "two", name); err != nil {
		t.Error(err)
	}
	return time.Since(begin)
}

func createIssuer(t *testing.T, w *world.World, o world.IssuerOptions) {
	t.Helper()
	if err := w.CreateIssuer(t.Context(), o); err != nil {
		t.Error(err)
	}
	if err := w.Condition(t.Context(), "cert-manager.io/v1", "ClusterIssuer", o.Name, "Ready"); err != nil {
		t.Error(err)
	}
}

func createCertificate(t *testing.T, w *world.World, name, issuer, domain string) {
	t.Helper()
	if err := w.Namespace(t.Context(), "two"); err != nil {
		t.Error(err)
	}
	if err := w.CreateCertificate(t.Context(), "two", name, "ClusterIssuer", issuer, "*."+domain); err != nil {
		t.Error(err)
	}
}

// value returns the value of a cluster's challenge for a domain, when it is presented.
func value(ctx context.Context, w *world.World, domain string) (string, error) {
	list, err := w.Challenges(ctx, "two")
	if err != nil {
		return "", err
	}
	values, err := redisValues(ctx, domain)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(list, func(c acmev1.Challenge) bool { return c.Spec.DNSName == domain && slices.Contains(values, c.Spec.Key) })
	if i < 0 {
		return "", fmt.Errorf("%d challenges, none of them presented", len(list))
	}
	return list[i].Spec.Key, nil
}

// inRedis returns the values of a domain.
func inRedis(t *testing.T, domain string) []string {
	t.Helper()
	list, err := redisValues(t.Context(), domain)
	must(t, err)
	return list
}

func redisValues(ctx context.Context, domain string) ([]string, error) {
	target, err := world.Target(world.CertManagerNamespace, domain)
	if err != nil {
		return nil, err
	}
	id, _, _ := strings.Cut(target, ".")
	return first.Redis.Values(ctx, "signpost:{"+world.Zone+"}:"+id)
}

func equal(got []string, want ...string) error {
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}

func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	poll.Until(t, time.Minute, what, ok)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
