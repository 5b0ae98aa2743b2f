package e2e

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

// reason waits until the Challenge for a domain says why it does not go on, and
// returns it.
func reason(t *testing.T, namespace, domain string, ok func(acmev1.Challenge) bool) acmev1.Challenge {
	t.Helper()
	var last acmev1.Challenge
	poll.Until(t, time.Minute, "the Challenge for "+domain+" says so", func() error {
		challenges, err := w.Challenges(t.Context(), namespace)
		if err != nil {
			return err
		}
		for _, last = range challenges {
			if last.Spec.DNSName == domain && ok(last) {
				return nil
			}
		}
		return errors.New(w.Explain(namespace))
	})
	return last
}

func notIssued(t *testing.T, namespace, name string) {
	t.Helper()
	if _, err := w.Leaf(t.Context(), namespace, name); err == nil {
		t.Errorf("%s/%s has got a certificate", namespace, name)
	}
	if c, err := w.CM.CertmanagerV1().Certificates(namespace).Get(t.Context(), name, metav1.GetOptions{}); err != nil {
		t.Error(err)
	} else {
		for _, condition := range c.Status.Conditions {
			if condition.Type == "Ready" && condition.Status == "True" {
				t.Errorf("%s/%s is Ready", namespace, name)
			}
		}
	}
}

// The CNAME that the owner has set names one namespace; no other gets a certificate.
func TestSomebodyElsesDomain(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "follow", Namespace: "thief", Follow: true})
	createIssuer(t, world.IssuerOptions{Name: "none", Namespace: "thief"})
	createIssuer(t, world.IssuerOptions{Name: "blind", Namespace: "thief", NoGate: true})
	for _, domain := range []string{"victim.example.com", "victim2.example.com", "victim3.example.com"} {
		setCNAME(t, "example.com", domain, "owner")
	}
	written := w.Redis.Changes(t.Context(), keyPrefix[:len(keyPrefix)-1])
	victim, err := world.Target("owner", "victim.example.com")
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := world.Target("thief", "victim.example.com")
	if err != nil {
		t.Fatal(err)
	}

	createCertificate(t, "thief", "follow", "Issuer", "follow", "*.victim.example.com")
	c := reason(t, "thief", "victim.example.com", func(c acmev1.Challenge) bool { return strings.Contains(c.Status.Reason, "points at") })
	want := "_acme-challenge.victim.example.com points at " + victim + ", but for issuers in namespace thief it must be a CNAME to " + wanted
	if !strings.Contains(c.Status.Reason, want) || c.Status.Presented {
		t.Errorf("the Challenge says %q (presented: %v), want %q", c.Status.Reason, c.Status.Presented, want)
	}

	wanted2, err := world.Target("thief", "victim2.example.com")
	if err != nil {
		t.Fatal(err)
	}
	createCertificate(t, "thief", "none", "Issuer", "none", "*.victim2.example.com")
	c = reason(t, "thief", "victim2.example.com", func(c acmev1.Challenge) bool { return strings.Contains(c.Status.Reason, wanted2) })
	if c.Status.Presented {
		t.Error("a challenge whose CNAME is somebody else's was presented")
	}
	t.Logf("with cnameStrategy None the Challenge says: %s", c.Status.Reason)

	// Without our look at the CNAME it is the CA that refuses.
	createCertificate(t, "thief", "blind", "Issuer", "blind", "*.victim3.example.com")
	c = reason(t, "thief", "victim3.example.com", func(c acmev1.Challenge) bool { return c.Status.State == acmev1.Invalid })
	t.Logf("with checkCNAME false the CA says: %s", c.Status.Reason)
	// CleanUp has removed it by now, so what was ever written is what counts. The
	// last one is where the value has to be: so this does see what is written.
	for _, c := range []struct {
		scope, domain string
		want          bool
	}{
		{"owner", "victim.example.com", false}, {"thief", "victim.example.com", false},
		{"owner", "victim2.example.com", false}, {"thief", "victim2.example.com", false},
		{"owner", "victim3.example.com", false}, {"thief", "victim3.example.com", true},
	} {
		if got := slices.Contains(written(), targetID(t, c.scope, c.domain)); got != c.want {
			t.Errorf("something was written to the target of %s for %s: %v, want %v", c.scope, c.domain, got, c.want)
		}
	}
	notIssued(t, "thief", "follow")
	notIssued(t, "thief", "none")
	notIssued(t, "thief", "blind")
}

func TestDomainInsideOurZone(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "inside"})
	createCertificate(t, "inside", "inside", "ClusterIssuer", "inside", "*.foo.acme.example.com")
	reason(t, "inside", "foo.acme.example.com", func(c acmev1.Challenge) bool {
		return strings.Contains(c.Status.Reason, "is inside acme.example.com, the zone that Signpost itself serves")
	})
	notIssued(t, "inside", "inside")
}

// Nobody but cert-manager may call the solver: neither through the API server
// nor by going to a replica directly.
func TestAccess(t *testing.T) {
	setCNAME(t, "example.com", "access.example.com", "web")
	const path = "/apis/" + world.Zone + "/v1alpha1/signpost"
	payload := `{"kind":"ChallengePayload","apiVersion":"webhook.acme.cert-manager.io/v1alpha1","request":{"uid":"","action":"Present","type":"dns-01",` +
		`"dnsName":"access.example.com","key":"stolen","resourceNamespace":"web","resolvedFQDN":"_acme-challenge.access.example.com.","allowAmbientCredentials":false}}`
	if out, err := w.Kubectl(t.Context(), payload, "create", "--raw", path, "-f", "-", "--as", "system:serviceaccount:cert-manager:cert-manager"); err != nil || !strings.Contains(out, `"success":true`) {
		t.Fatalf("cert-manager's ServiceAccount cannot call the solver: %s, %v", out, err)
	}
	if out, err := w.Kubectl(t.Context(), strings.Replace(payload, `"Present"`, `"CleanUp"`, 1), "create", "--raw", path, "-f", "-", "--as", "system:serviceaccount:cert-manager:cert-manager"); err != nil {
		t.Fatalf("CleanUp: %s, %v", out, err)
	}
	for _, who := range []string{"system:serviceaccount:default:default", "system:anonymous", "alice"} {
		if out, err := w.Kubectl(t.Context(), payload, "create", "--raw", path, "-f", "-", "--as", who); err == nil || !strings.Contains(err.Error(), "orbidden") {
			t.Errorf("%s can call the solver: %s, %v", who, out, err)
		}
	}
	status, err := w.PostDirectly(t.Context(), path, payload, map[string]string{
		"X-Remote-User": "system:serviceaccount:cert-manager:cert-manager", "X-Remote-Group": "system:serviceaccounts",
	})
	if err != nil || status != 403 {
		t.Errorf("a replica called directly, with forged headers, answers %d, %v; want 403", status, err)
	}
	leavesNothing(t)
}

// A groupName that is not ours: the challenge never reaches us, so the log says
// which Issuer it is, and cert-manager says what it may not do.
func TestOtherGroupName(t *testing.T) {
	const group = "other.example.org"
	createIssuer(t, world.IssuerOptions{Name: "other-group"})
	issuers := w.CM.CertmanagerV1().ClusterIssuers()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error { // cert-manager writes there too
		i, err := issuers.Get(t.Context(), "other-group", metav1.GetOptions{})
		if err != nil {
			return err
		}
		i.Spec.ACME.Solvers[0].DNS01.Webhook.GroupName = group
		_, err = issuers.Update(t.Context(), i, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log of every replica names the Issuer", func() bool {
		for _, r := range w.Replicas {
			if !strings.Contains(r.Log(), `msg="an Issuer names the solver of another Signpost" issuer=ClusterIssuer/other-group groupName=`+group+` ours=`+world.Zone) {
				return false
			}
		}
		return true
	})
	createCertificate(t, "web", "other-group", "ClusterIssuer", "other-group", "*.other-group.example.com")
	reason(t, "web", "other-group.example.com", func(c acmev1.Challenge) bool { return strings.Contains(c.Status.Reason, group) })
	notIssued(t, "web", "other-group")
}
