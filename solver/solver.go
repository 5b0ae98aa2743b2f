// Package solver is the cert-manager webhook: it turns a ChallengeRequest into
// a record that every DNS server of Signpost answers with.
//
// What cert-manager gets as an error ends up in the Challenge's status, where
// people read it, and where a text that changes would make cert-manager try
// again at once. So the texts are stable sentences that say what to do, and the
// log has the cause.
package solver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	"github.com/google/uuid"
	"k8s.io/client-go/rest"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// Name is what an Issuer calls the solver: webhook.solverName.
const Name = "signpost"

const (
	// presentTimeout keeps Present well inside the 30 s after which the API
	// server gives up on a webhook: cert-manager may call CleanUp then.
	presentTimeout = 20 * time.Second
	cleanUpTimeout = 10 * time.Second

	// goneTimeout is how long CleanUp waits for DNS servers that still answer with
	// what it has removed, or do not answer.
	goneTimeout = 5 * time.Second
)

// Store is where challenge values are put. See store.Store for the contract.
type Store interface {
	Add(ctx context.Context, id uuid.UUID, value string) error
	Remove(ctx context.Context, id uuid.UUID, value string) error
	Values(ctx context.Context, id uuid.UUID) ([]string, error)
	// Replicas returns the addresses of the DNS servers that are live.
	Replicas(ctx context.Context) ([]string, error)
	// Vouch tells the other replicas something for that long, by an ID that both know.
	Vouch(ctx context.Context, id uuid.UUID, lifetime time.Duration) error
	Vouched(ctx context.Context, ids []uuid.UUID) ([]bool, error)
}

// Serves reports whether the DNS server at address answers with the TXT record
// value at name.
type Serves func(ctx context.Context, address, name, value string) (bool, error)

// LookUp reports whether the world sees the CNAME of a domain for the issuers of
// a namespace. Its hint goes into the Challenge, so it must not change from one
// try to the next.
type LookUp func(ctx context.Context, namespace, domain string) check.Finding

// Solver implements cert-manager's webhook.Solver. Any replica can take any call,
// and a call can be repeated at will: it keeps nothing that a call depends on.
type Solver struct {
	zone      *zone.Zone
	store     Store
	serves    Serves
	lookUp    LookUp
	log       *slog.Logger
	metrics   metrics
	presented presented
	strict    *strict                  // nil: the scope is the Issuer's namespace
	servers   atomic.Pointer[[]string] // that the store knew last

	secondaries secondaries
	underWay    underWay
}

// New returns a solver that writes to store and asks the DNS servers by serves.
// A challenge is presented only when lookUp says that the domain's CNAME is there:
// a CA that came before would count a failed validation, of which it allows few.
func New(z *zone.Zone, store Store, serves Serves, lookUp LookUp, log *slog.Logger) *Solver {
	return &Solver{zone: z, store: store, serves: serves, lookUp: lookUp, log: log, metrics: newMetrics()}
}

// Name implements webhook.Solver.
func (s *Solver) Name() string { return Name }

// Initialize implements webhook.Solver. It starts nothing: what runs is started
// by the program, and cert-manager's conformance suite calls this several times.
func (s *Solver) Initialize(*rest.Config, <-chan struct{}) error { return nil }

// Present implements webhook.Solver. When it returns nil, every live DNS server
// answers with the challenge's value.
func (s *Solver) Present(req *whapi.ChallengeRequest) error {
	ctx, cancel := context.WithTimeout(context.Background(), presentTimeout)
	defer cancel()
	defer s.present(req.DNSName, req.Key)()
	start := time.Now()
	err := s.doPresent(ctx, req)
	s.metrics.observe("present", start, err)
	return err
}

// logAbout returns the log for what is said about a challenge.
func (s *Solver) logAbout(req *whapi.ChallengeRequest) *slog.Logger {
	return s.log.With("challenge", traceID(req.ResourceNamespace, req.DNSName, req.Key), "domain", req.DNSName, "namespace", req.ResourceNamespace)
}

func (s *Solver) doPresent(ctx context.Context, req *whapi.ChallengeRequest) error {
	call := callOf(req)
	number := s.presented.call(call, false)
	strict := s.isStrict(req)
	req, err := s.scoped(ctx, s.logAbout(req), req)
	if err != nil {
		return err
	}
	log := s.logAbout(req)
	target, config, err := s.accept(req)
	if err != nil {
		log.Warn("a challenge is refused", "reason", err)
		return err
	}
	if strict && config.CheckCNAME != nil && !*config.CheckCNAME {
		log.Warn("a challenge is refused", "reason", errStrictUnchecked)
		return errStrictUnchecked
	}
	if config.CheckCNAME == nil || *config.CheckCNAME {
		if r := s.lookUp(ctx, req.ResourceNamespace, req.DNSName); r.Status == check.Failed || r.Status == check.Unknown {
			log.Info("not presented: the CNAME of the domain is not there", "check", r.Check, "seen", r.Seen)
			return errors.New(r.Hint)
		}
	}
	log = log.With("target", target.Name)
	if err := s.late(ctx, log, call, number); err != nil {
		return err
	}
	if err := s.add(ctx, log, target, req, call, number); err != nil {
		return err
	}
	if err := s.await(ctx, log, target.Name, req.Key); err != nil {
		return err
	}
	log.Info("presented: every DNS server answers with the challenge's value")
	return nil
}

// callOf tells calls for one challenge from those for others.
func callOf(req *whapi.ChallengeRequest) presentation {
	return presentation{req.ResourceNamespace, req.DNSName, req.Key}
}

// late returns an error if nothing may be added any more: nobody waits for it, or
// it is cleaned up already.
func (s *Solver) late(ctx context.Context, log *slog.Logger, call presentation, number uint64) error {
	if ended, _ := s.presented.ended(call, number); ended {
		log.Info("not presented: the challenge has been cleaned up meanwhile")
		return errCleanedUp
	}
	if ctx.Err() != nil {
		log.Error("not presented: to look at the domain's record has taken too long", "bound", presentTimeout)
		return errLate
	}
	return nil
}

// add puts the value into the store. When CleanUp has come meanwhile the value goes
// again, for CleanUp may have been there before it; unless another Present wants it.
func (s *Solver) add(ctx context.Context, log *slog.Logger, target zone.Target, req *whapi.ChallengeRequest, call presentation, number uint64) error {
	err := s.store.Add(ctx, target.ID, req.Key)
	var ended, again bool
	if err == nil {
		ended, again = s.presented.add(call, number, req.ResourceNamespace, req.DNSName, req.Key)
	} else { // it is not known whether it took effect
		ended, again = s.presented.ended(call, number)
	}
	if ended {
		log.Info("the challenge has been cleaned up while it was presented")
		if !again {
			if err := s.store.Remove(context.WithoutCancel(ctx), target.ID, req.Key); err != nil {
				log.Warn("a value that is not needed any more cannot be removed yet; the watch does it when its Challenge is gone", "err", err)
			}
		}
		return errCleanedUp
	}
	if err != nil {
		if errors.Is(err, store.ErrLimit) {
			log.Warn("a challenge is refused", "reason", err)
			return err
		}
		log.Error("a challenge cannot be stored", "err", err)
		return storeError(err)
	}
	return nil
}

// CleanUp implements webhook.Solver. It removes the one value and leaves others
// alone. A value that is not there, or never can have been, is success: an error
// would keep the Challenge, and with it its namespace, from being deleted. When it
// returns nil, no live DNS server answers with the value, but for one that has been
// waited for in vain.
func (s *Solver) CleanUp(req *whapi.ChallengeRequest) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTimeout)
	defer cancel()
	start := time.Now()
	s.presented.call(callOf(req), true)
	requests, err := s.scopedAll(ctx, s.logAbout(req), req)
	for _, r := range requests {
		if e := s.cleanUp(ctx, r); e != nil {
			err = e
		}
	}
	s.metrics.observe("cleanup", start, err)
	return err
}

func (s *Solver) cleanUp(ctx context.Context, req *whapi.ChallengeRequest) error {
	log := s.logAbout(req)
	s.presented.remove(req.ResourceNamespace, req.DNSName, req.Key)
	target, err := s.zone.Target(req.ResourceNamespace, req.DNSName)
	if err != nil {
		log.Info("nothing to clean up: this challenge cannot have been presented", "reason", err)
		return nil
	}
	log = log.With("target", target.Name)
	if err := s.store.Remove(ctx, target.ID, req.Key); err != nil {
		log.Error("a challenge cannot be removed from the store", "err", err)
		return storeError(err)
	}
	s.awaitGone(ctx, log, target.Name, req.Key)
	log.Info("cleaned up")
	return nil
}

// accept checks a request and returns its target and its config. A request whose
// challenge name leads somewhere else is refused: the CNAME that the domain's
// owner has set is what authorises a namespace.
func (s *Solver) accept(req *whapi.ChallengeRequest) (target zone.Target, c config, err error) {
	if c, err = readConfig(req.Config); err != nil {
		return target, c, err
	}
	if target, err = s.zone.Target(req.ResourceNamespace, req.DNSName); err != nil {
		return target, c, err
	}
	if err := checkKey(req.Key); err != nil {
		return target, c, err
	}
	// cert-manager has followed the CNAME with cnameStrategy Follow, and not with None.
	switch resolved := strings.ToLower(strings.TrimSuffix(req.ResolvedFQDN, ".")); resolved {
	case "", target.Challenge, target.Name:
		return target, c, nil
	default:
		return target, c, fmt.Errorf("%s points at %s, but for issuers in namespace %s it must be a CNAME to %s; change the record at the domain's DNS provider",
			target.Challenge, resolved, req.ResourceNamespace, target.Name)
	}
}

// checkKey refuses what cannot be the value of a DNS-01 challenge.
func checkKey(key string) error {
	if key == "" {
		return fmt.Errorf("the challenge's key is empty")
	}
	if len(key) > store.MaxValueSize {
		return fmt.Errorf("the challenge's key is longer than the %d characters that fit into a TXT record's string", store.MaxValueSize)
	}
	for i := range len(key) {
		if c := key[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return fmt.Errorf("the challenge's key has a character that no ACME key has")
		}
	}
	return nil
}

// traceID is in every line of the log about a challenge, as its attribute
// "challenge", on every replica: what grep needs to tell the challenge's story. The
// key is the challenge's value, and cannot be found out from this.
func traceID(scope, domain, key string) string {
	sum := sha256.Sum256([]byte(scope + "/" + domain + "/" + key))
	return hex.EncodeToString(sum[:6])
}
