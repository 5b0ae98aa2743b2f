package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// EndedReason is what a Challenge says that EndChallenges has ended.
const EndedReason = "Signpost, which was to answer this challenge, has been uninstalled; choose another Issuer"

// cleanUpPoll is how often EndChallenges checks whether cert-manager is done.
const cleanUpPoll = 200 * time.Millisecond

// RemoveGate deletes the registration of the order gate, of that name, if it is
// there. Without Signpost nobody answers it, and Orders for protected Issuers
// would wait forever. It is idempotent.
func (c *Client) RemoveGate(ctx context.Context, name string) error {
	err := c.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return Explain(err, "removing the order gate "+name)
}

// EndChallenges ends every Challenge that is for the webhook of that API group,
// while it still runs: cert-manager then has it clean up and removes its finalizer
// from the Challenge, whose namespace could otherwise not be deleted. It returns how
// many there were, when no finalizer is left or ctx is done.
func (c *Client) EndChallenges(ctx context.Context, group string) (ended int, err error) {
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"state": acmev1.Errored, "reason": EndedReason}})
	if err != nil {
		return 0, err
	}
	seen := map[types.UID]bool{}
	for {
		held, err := c.held(ctx, group)
		if err != nil {
			return len(seen), err
		}
		if len(held) == 0 {
			return len(seen), nil
		}
		var names []string
		for _, ch := range held {
			names = append(names, ch.Namespace+"/"+ch.Name)
			if seen[ch.UID] {
				continue
			}
			_, err := c.CM.AcmeV1().Challenges(ch.Namespace).Patch(ctx, ch.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: c.solver}, "status")
			if err != nil && !apierrors.IsNotFound(err) {
				return len(seen), Explain(err, fmt.Sprintf("ending challenge %s/%s", ch.Namespace, ch.Name))
			}
			seen[ch.UID] = true
		}
		select {
		case <-ctx.Done():
			return len(seen), fmt.Errorf("cert-manager has not let go of %s: does it run, and does it reach Signpost's webhook? "+
				"Without Signpost it never will: see \"Removing\" in the installation guide", strings.Join(names, ", "))
		case <-time.After(cleanUpPoll):
		}
	}
}

// held returns the Challenges for us that cert-manager still holds, or would if they
// were deleted: those that have not ended, and those with a finalizer.
func (c *Client) held(ctx context.Context, group string) (held []acmev1.Challenge, err error) {
	ours := Cluster{config: Config{Group: group, Solver: c.solver}}
	list, err := c.CM.AcmeV1().Challenges("").List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil // cert-manager is gone already, and its resources with it
	}
	if err != nil {
		return nil, Explain(err, "reading Challenges")
	}
	for _, ch := range list.Items {
		if known, ok := ours.challenge(&ch); ok && (!known.Ended || len(ch.Finalizers) > 0) {
			held = append(held, ch)
		}
	}
	return held, nil
}
