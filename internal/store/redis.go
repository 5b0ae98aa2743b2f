package store

import (
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Redis is a Store in Redis or Valkey: a single server, Sentinel or Cluster.
//
// For the zone acme.example.com a name's values are the members of the sorted
// set signpost:{acme.example.com}:<uuid>, each with its expiry in Unix
// milliseconds as score; every change publishes <uuid> on the channel
// signpost:{acme.example.com} in the same transaction; the live replicas are in
// signpost:{acme.example.com}:replicas, which of them announces which address is in
// signpost:{acme.example.com}:instances, and the store ID (see identify) in
// signpost:{acme.example.com}:era. For versions see KeepVersions. Times are the Redis server's, so that a replica
// whose clock is wrong does no harm.
type Redis struct {
	client   redis.UniversalClient
	prefix   string // of the names' keys
	channel  string
	replicas string // key
	storeID  string // key
	absent   string // a key that never exists: see places
	log      *slog.Logger
	limits   limits
	followed atomic.Pointer[Copy] // that Follow keeps equal

	fresh                   freshness
	seen                    atomic.Pointer[seenServer]
	servers                 sync.Map     // of a Cluster: *redis.Client by address
	connections, identified atomic.Int64 // how many connections there have been, and were when the store was last identified
	anonymous, warnedSplit  atomic.Bool  // in the log: the server does not tell its identity; see checkReplication
	instance                instance

	journal   *Journal      // nil where changes have no versions; see KeepVersions
	version   string        // key
	changes   string        // key of the log of changes
	changing  chan struct{} // has something in it while a version is being raised
	slotMoves atomic.Bool   // the last transaction was refused for that
	published chan struct{} // wakes what keeps the journal
	settle    time.Duration // restoreTime: how long the store must have been there before a journal shows it
	rescan    time.Duration // journalScan, but for tests

	reading, writing, hearing health
}

// NewRedis returns the store for the zone with the given origin. It does not connect
// yet: a Redis that is not there shows in the calls' errors. An error here means that
// the options are wrong.
func NewRedis(origin string, options RedisOptions, log *slog.Logger) (*Redis, error) {
	channel := "signpost:{" + origin + "}"
	r := &Redis{
		prefix:   channel + ":",
		channel:  channel,
		replicas: channel + ":replicas",
		storeID:  channel + ":era",
		absent:   channel + ":absent",
		version:  channel + ":version",
		changes:  channel + ":log",
		instance: instance{id: uuid.NewString(), key: channel + ":instances"},
		log:      log,
		limits:   limits{total: MaxTotal},

		changing: make(chan struct{}, 1), published: make(chan struct{}, 1), settle: restoreTime, rescan: journalScan,
		reading: health{
			fails: "Redis cannot be read; this replica keeps answering with the values it knows, and retries",
			works: "Redis can be read again",
		},
		writing: health{
			fails: "Redis cannot be written to; challenges cannot be presented until it can",
			works: "Redis can be written to again",
		},
		hearing: health{
			fails: "the subscription to changes in Redis has failed; until it works, everything is read every 2 s",
			works: "the subscription to changes in Redis works again",
		},
	}
	client, err := options.client(func() { r.connections.Add(1) })
	if err != nil {
		return nil, err
	}
	r.client = client
	r.knowServers()
	return r, nil
}

// Close implements Store.
func (r *Redis) Close() error { return r.client.Close() }

func (r *Redis) key(id uuid.UUID) string { return r.prefix + id.String() }

func milliseconds(t time.Time) float64 { return float64(t.UnixMilli()) }

func score(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
