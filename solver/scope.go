package solver

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"

	"github.com/signpost-acme/signpost/internal/cluster"
)

// Find returns the Challenges for us with that domain and key, in all namespaces.
// See cluster.Cluster.
type Find func(ctx context.Context, domain, key string) ([]cluster.Challenge, error)

// strict is set up by Solver.Strict.
type strict struct {
	clusterNamespace string
	find             Find
}

var (
	errChallenges = errors.New("Signpost cannot read the Challenges of the cluster, which say what namespace this one is in; it is retried, and if this stays, the log of the signpost pods has the cause") //nolint:staticcheck,revive // a name begins the sentence
	errNoOwner    = errors.New("no Challenge of the cluster has this domain and key; it is retried")
	errOwners     = errors.New("Challenges in more than one namespace have this key, so that it is not known which namespace's target is meant; delete those that cert-manager has not made")

	errStrictUnchecked = errors.New("checkCNAME: false cannot be used with strict namespaces, where the CNAME says who may have the certificate; take it out of the Issuer's solver")
)

// Strict makes the scope of a challenge the namespace of its Challenge under a
// ClusterIssuer too, so that a domain's CNAME names the one namespace that may
// have its certificate. cert-manager does not say which namespace that is:
// find tells. clusterNamespace is cert-manager's cluster resource namespace.
func (s *Solver) Strict(clusterNamespace string, find Find) {
	s.strict = &strict{clusterNamespace: clusterNamespace, find: find}
}

// isStrict reports whether the scope of a request is not its own namespace, but
// that of its Challenge.
func (s *Solver) isStrict(req *whapi.ChallengeRequest) bool {
	return s.strict != nil && req.ResourceNamespace == s.strict.clusterNamespace
}

// owners returns the Challenges that a request is for. It returns strict false
// where the request's namespace is the scope all the same.
func (s *Solver) owners(ctx context.Context, log *slog.Logger, req *whapi.ChallengeRequest) (found []cluster.Challenge, strict bool, err error) {
	if !s.isStrict(req) {
		return nil, false, nil
	}
	if found, err = s.strict.find(ctx, req.DNSName, req.Key); err != nil {
		log.Error("the Challenges cannot be read", "err", err)
		return nil, true, errChallenges
	}
	return found, true, nil
}

// scoped returns the request with the scope of its target as its namespace.
func (s *Solver) scoped(ctx context.Context, log *slog.Logger, req *whapi.ChallengeRequest) (*whapi.ChallengeRequest, error) {
	found, strict, err := s.owners(ctx, log, req)
	if err != nil || !strict {
		return req, err
	}
	scopes := scopesOf(found)
	if len(scopes) > 1 { // cert-manager alone writes the status, and works on the one that is meant
		if meant := scopesOf(slices.DeleteFunc(found, func(c cluster.Challenge) bool { return !c.Processing })); len(meant) > 0 {
			scopes = meant
		}
	}
	switch len(scopes) {
	case 0:
		return req, errNoOwner
	case 1:
		return in(scopes[0], req), nil
	default:
		return req, errOwners
	}
}

// scopedAll returns a request for each target at which the value may be. If there
// are Challenges that cert-manager is done with, only those count: one that
// somebody has forged must not take another's record away.
func (s *Solver) scopedAll(ctx context.Context, log *slog.Logger, req *whapi.ChallengeRequest) (requests []*whapi.ChallengeRequest, err error) {
	found, strict, err := s.owners(ctx, log, req)
	if err != nil {
		return nil, err
	}
	if !strict {
		return []*whapi.ChallengeRequest{req}, nil
	}
	if ended := slices.DeleteFunc(slices.Clone(found), func(c cluster.Challenge) bool { return !c.Ended }); len(ended) > 0 {
		found = ended
	}
	scopes := scopesOf(found)
	if len(scopes) == 0 { // deleted by force
		scopes = s.presented.namespaces(req.DNSName, req.Key)
	}
	for _, scope := range scopes {
		requests = append(requests, in(scope, req))
	}
	return requests, nil
}

func scopesOf(challenges []cluster.Challenge) (scopes []string) {
	for _, c := range challenges {
		scopes = append(scopes, c.Scope)
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

func in(scope string, req *whapi.ChallengeRequest) *whapi.ChallengeRequest {
	out := *req
	out.ResourceNamespace = scope
	return &out
}
