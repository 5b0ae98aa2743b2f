package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

// allLookedAt returns when each replica has findings about every domain.
func allLookedAt(ctx context.Context, n int) error {
	return poll.Try(ctx, 5*time.Minute, "all domains are looked at", func() error {
		if err := pause(ctx, 2*time.Second); err != nil { // each answer is megabytes
			return err
		}
		if err := pause(ctx, 2*time.Second); err != nil { // each answer is megabytes
			return err
		}
		for i := range 2 {
			body, _, err := fetch(ctx, fmt.Sprintf("http://%s:8080/status.json", world.ReplicaAddress(i)), "")
			if err != nil {
				return err
			}
			var s struct {
				Domains []struct {
					Checks []struct{} `json:"checks"`
				} `json:"domains"`
			}
			if err := json.Unmarshal(body, &s); err != nil {
				return err
			}
			known := 0
			for _, d := range s.Domains {
				if len(d.Checks) > 0 {
					known++
				}
			}
			if known != n {
				return fmt.Errorf("%d of %d are", known, n)
			}
		}
		return nil
	})
}

// recordsSeen measures how long it takes from a record's being served to the nudge of
// the request that waits for it.
func recordsSeen(ctx context.Context, w *world.World) (took []time.Duration, err error) {
	for i := range domainsSample {
		n := 17 + 100*i
		record, err := ownersRecord(manyDomain(n))
		if err != nil {
			return nil, err
		}
		if err := w.Parent.Set(ctx, "example.com", fmt.Sprint("seen-", n), record); err != nil {
			return nil, err
		}
		begin := time.Now()
		err = poll.Try(ctx, time.Minute, "the request is nudged", func() error {
			r, err := w.CM.CertmanagerV1().CertificateRequests(domainsIssuer).Get(ctx, fmt.Sprintf("c%d-1", n), metav1.GetOptions{})
			if err == nil && len(r.Annotations) < 3 {
				err = fmt.Errorf("it has the annotations %v", r.Annotations)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}

// valuesBack measures how long it takes until a value is back that Redis has lost.
func valuesBack(ctx context.Context, w *world.World) (took []time.Duration, err error) {
	domain := manyDomain(0)
	target, err := world.Target(world.CertManagerNamespace, domain)
	if err != nil {
		return nil, err
	}
	issuer, err := w.CM.CertmanagerV1().ClusterIssuers().Get(ctx, domainsIssuer, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	const value = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
	challenges := w.CM.AcmeV1().Challenges(domainsIssuer)
	c, err := challenges.Create(ctx, &acmev1.Challenge{
		ObjectMeta: metav1.ObjectMeta{Name: "lost"},
		Spec: acmev1.ChallengeSpec{URL: "https://ca.example/1", AuthorizationURL: "https://ca.example/2", DNSName: domain, Type: acmev1.ACMEChallengeTypeDNS01, Token: "t", Key: value,
			Solver: issuer.Spec.ACME.Solvers[0], IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: domainsIssuer}},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	c.Status = acmev1.ChallengeStatus{Processing: true, Presented: true, State: acmev1.Pending}
	if _, err = challenges.UpdateStatus(ctx, c, metav1.UpdateOptions{}); err != nil {
		return nil, err
	}
	uuid, _, _ := strings.Cut(target, ".")
	stored := "signpost:{" + world.Zone + "}:" + uuid
	there := func() error {
		values, err := w.Redis.Values(ctx, stored)
		if err == nil && !slices.Contains(values, value) {
			err = fmt.Errorf("it has %v", values)
		}
		return err
	}
	for range domainsSample {
		if err := poll.Try(ctx, time.Minute, "the value is there", there); err != nil {
			return nil, err
		}
		if err := w.Redis.Forget(ctx, stored); err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := poll.Try(ctx, time.Minute, "the value is back", there); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}
