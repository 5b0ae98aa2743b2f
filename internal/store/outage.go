package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// call runs f, which talks to Redis, for at most callTimeout, and notes in h whether
// it succeeded.
func (r *Redis) call(ctx context.Context, h *health, f func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return h.note(ctx, r.log, f(limited))
}

// health knows whether one way of using Redis works, so that the log has a line
// when that changes, and not one for every call.
type health struct {
	works, fails string // what the log says
	bad          atomic.Bool
}

// note takes the outcome of a call made for caller, and returns it as an error that
// says where it comes from. A call that the caller itself has given up says nothing
// about Redis; one that our own deadline has ended does.
func (h *health) note(caller context.Context, log *slog.Logger, err error) error {
	switch {
	case err == nil:
		if h.bad.CompareAndSwap(true, false) {
			log.Info(h.works)
		}
		return nil
	case caller.Err() == nil && h.bad.CompareAndSwap(false, true):
		log.Error(h.fails, "err", err)
	}
	return fmt.Errorf("redis: %w", err)
}

// cause returns why a transaction failed: EXECABORT only says that one of its
// commands was refused.
func cause(cmds []redis.Cmder, err error) error {
	if !redis.HasErrorPrefix(err, "EXECABORT") {
		return err
	}
	for _, cmd := range cmds {
		if e := cmd.Err(); e != nil && !redis.HasErrorPrefix(e, "EXECABORT") {
			return e
		}
	}
	return err
}

// backoff is the last pause between two retries; zero before the first.
type backoff time.Duration

func (b *backoff) sleep(ctx context.Context) {
	*b = min(max(2**b, backoff(50*time.Millisecond)), backoff(maxPause))
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(*b)):
	}
}
