// Package store keeps the values of DNS-01 challenges: a Store that all
// replicas share, and in every process a Copy of it, from which the DNS server
// answers from memory. It may import zone. Its proof is in its tests, which run a
// real redis-server, and in test/faults.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Lifetime is how long a value stays if nobody removes it. An ACME order lives for
// a week, and cert-manager presents a challenge only once.
const Lifetime = 8 * 24 * time.Hour

// Store is where the values live. All methods may be called concurrently. Every call
// is bounded in time by the implementation, to a few seconds at most, also where ctx
// has no deadline; an error means that it is not known whether the call took effect,
// and repeating it is safe. For why Redis fails see ErrDenied and Explain.
type Store interface {
	// Add puts value among those under id, for Lifetime from now. A value that
	// is there already stays, with its lifetime renewed. Other values are not touched.
	// Beyond the limits (MaxValues and its neighbours) it fails with ErrLimit.
	Add(ctx context.Context, id uuid.UUID, value string) error

	// Remove takes value from under id. A value that is not there is no error.
	Remove(ctx context.Context, id uuid.UUID, value string) error

	// Values returns the values under id, in no particular order; none is no error.
	Values(ctx context.Context, id uuid.UUID) ([]string, error)

	// Announce says that the DNS server reachable at address (host:port) is
	// live, for HeartbeatLifetime from now.
	Announce(ctx context.Context, address string) error

	// Withdraw takes back what Announce said. An unknown address is no error.
	Withdraw(ctx context.Context, address string) error

	// Replicas returns the addresses of the live DNS servers, sorted. It returns none
	// while the list is not complete, because the store has just lost it.
	Replicas(ctx context.Context) ([]string, error)

	// AddAsked adds to the counts of queries for the values under id, by network.
	// They are forgotten when a value is removed, and an hour after the last addition.
	AddAsked(ctx context.Context, id uuid.UUID, counts map[string]uint64) error

	// Asked returns those counts, of all replicas together; none is no error.
	Asked(ctx context.Context, id uuid.UUID) (map[string]uint64, error)

	// Vouch tells the other replicas, for that long, that this one has just seen the
	// owner's record of the target with that ID, or presents the challenge with that ID.
	// It replaces what was said before.
	Vouch(ctx context.Context, id uuid.UUID, lifetime time.Duration) error

	// Vouched returns, for each ID, whether a replica vouches for it now.
	Vouched(ctx context.Context, ids []uuid.UUID) ([]bool, error)

	// PutFound tells the other replicas of the same cluster what this one has found out
	// about the target with that ID: at most MaxFound octets, kept for FoundLifetime.
	PutFound(ctx context.Context, cluster, id uuid.UUID, found []byte) error

	// Found returns what replicas of that cluster have told since a time that Found has
	// returned, and some of what they have told just before; everything since the zero
	// time. Whoever can write to the store can forge it.
	Found(ctx context.Context, cluster uuid.UUID, since time.Time) (Found, error)

	// Follow makes c equal to the store and keeps it so until ctx is done; it
	// returns only then. It survives every failure of the store: c keeps what
	// it has, and is right again soon after the store is back. At most one Follow may
	// run on a Copy, and with Redis one on a Store.
	Follow(ctx context.Context, c *Copy)

	// Close frees what the store holds. No method may be called after it.
	Close() error
}

// What a store takes. Values that are there already can always be added again.
const (
	// MaxValueSize is how many octets a value may have: what one character-string
	// of a TXT record takes. The values of ACME have 43.
	MaxValueSize = 255

	// MaxValues is how many values there may be under one name; two at once are
	// usual. An answer with as many of the largest fits a DNS message.
	MaxValues = 100

	// MaxTotal is how many values there may be in all. When several replicas add at
	// the same moment, a few more may get in.
	MaxTotal = 100_000
)

// ErrLimit is what an error of Add is (errors.Is) when the value is too large or
// there are too many already. The error's text stays the same and is for people.
var ErrLimit = errors.New("the records are full")

type limitError string

func (e limitError) Error() string        { return string(e) }
func (e limitError) Is(target error) bool { return target == ErrLimit }

// limits can be lowered by tests.
type limits struct{ total int }

// check returns why value cannot be added to a name that has n values, where
// there are total in all.
func (l limits) check(value string, n, total int) error {
	switch {
	case len(value) > MaxValueSize:
		return limitError(fmt.Sprintf("the challenge's value is longer than the %d octets that a record takes; values of ACME have 43", MaxValueSize))
	case n >= MaxValues:
		return limitError(fmt.Sprintf("the name has %d values already, which is the most it can have; delete Challenges for it that nobody needs", MaxValues))
	case total >= l.total:
		return limitError(fmt.Sprintf("there are %d values in all already, which is the most there can be; delete Challenges that nobody needs", l.total))
	}
	return nil
}
