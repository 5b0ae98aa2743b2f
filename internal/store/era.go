package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// era knows whether Redis has lost what was in it. The key
// signpost:{acme.example.com}:era has a random value; the heartbeats of the
// replicas make it where it is not there. When it is gone or another one, so are
// the records: Redis was started without its data, or told to forget them. They
// were not removed, and come back from the Challenges within seconds.
type era struct {
	mu    sync.Mutex
	known string
	lost  time.Time // when the last loss was noticed
}

// see takes what Redis has now, and reports whether it has lost its records since
// it was last looked at.
func (e *era) see(now string) (lost bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if lost = e.known != "" && now != e.known; lost {
		e.lost = time.Now()
	}
	e.known = now
	return lost
}

// within reports whether a loss was noticed less than d ago.
func (e *era) within(d time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.lost.IsZero() && time.Since(e.lost) < d
}

// readEra looks whether Redis has lost its records, and makes an era if there is none.
func (r *Redis) readEra(ctx context.Context) error {
	now, err := r.client.Get(ctx, r.eraKey).Result()
	if errors.Is(err, redis.Nil) {
		_ = r.beginEra(ctx) // somebody else does, where we may only read
		now, err = r.client.Get(ctx, r.eraKey).Result()
	}
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	if err := r.reading.note(ctx, r.log, err); err != nil {
		return err
	}
	if r.era.see(now) {
		r.log.Warn("Redis has lost its records; they are served on for a while, and are put back from the Challenges of cert-manager")
	}
	return nil
}

// beginEra makes an era, if there is none, and has it last.
func (r *Redis) beginEra(ctx context.Context) error {
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.SetNX(ctx, r.eraKey, uuid.NewString(), 0)
		pipe.PExpire(ctx, r.eraKey, Lifetime) // no record lives longer
		return nil
	})
	return err
}
