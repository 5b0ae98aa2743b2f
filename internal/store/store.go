// Package store keeps the values of DNS-01 challenges: a Store that all
// replicas share, and in every process a Copy of it, from which the DNS server
// answers without asking anybody.
package store

import (
	"context"
	"time"

	"github.com/google/uuid"
)

const (
	// Lifetime is how long a value stays if nobody removes it. An ACME order
	// lives for a week, and cert-manager presents a challenge only once.
	Lifetime = 8 * 24 * time.Hour

	// HeartbeatInterval is how often a replica calls Announce.
	HeartbeatInterval = 2 * time.Second

	// HeartbeatLifetime is how long a replica counts as live after that.
	HeartbeatLifetime = 7 * time.Second
)

// Store is where the values live. All methods may be called concurrently.
// Every call is bounded in time by the implementation, to a few seconds at
// most, whatever ctx says; an error means that it is not known whether the
// call took effect, and repeating it is safe.
type Store interface {
	// Add puts value among those under id, for Lifetime from now. A value that
	// is there already stays, with its life renewed. Other values are not touched.
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

	// Follow makes c equal to the store and keeps it so until ctx is done; it
	// returns only then. It survives every failure of the store: c keeps what
	// it has, and is right again soon after the store is back. At most one
	// Follow may run on a Copy.
	Follow(ctx context.Context, c *Copy)

	// Close frees what the store holds. No method may be called after it.
	Close() error
}
