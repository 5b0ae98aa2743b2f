package store

import (
	"context"
	"log/slog"
	"sync"
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

	mu     sync.Mutex
	logged map[string]bool // causes that are in the log since it last worked
	worked bool            // ever
	denied error           // the last ErrDenied, if it has never worked
}

// note takes the outcome of a call made for caller, and returns it as an error that
// says where it comes from. A call that the caller itself has given up says nothing
// about Redis; one that our own deadline has ended does.
func (h *health) note(caller context.Context, log *slog.Logger, err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		if len(h.logged) > 0 {
			log.Info(h.works)
		}
		h.logged, h.worked, h.denied = nil, true, nil
		return nil
	}
	f := faultOf(err)
	err = &callError{err, f}
	if caller.Err() != nil {
		return err
	}
	if f.denied && !h.worked {
		h.denied = err
	}
	if !h.logged[f.cause] {
		if h.logged == nil {
			h.logged = map[string]bool{}
		}
		h.logged[f.cause] = true
		log.Error(h.fails, "cause", f.cause, "hint", f.hint, "err", err)
	}
	return err
}

// deniedFromStart returns why it never worked, if that is ErrDenied.
func (h *health) deniedFromStart() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.denied
}

// Denied returns why reading and writing have not worked since the start, where the
// reason is ErrDenied; nil otherwise, and also while it is not known yet. Writing is
// tried by Announce and Add. A replica with such an error is configured wrongly and
// should not become ready, so that a rollout does not replace those that work.
func (r *Redis) Denied() (read, write error) {
	return r.reading.deniedFromStart(), r.writing.deniedFromStart()
}

// callError is the error of a call.
type callError struct {
	err   error
	fault *fault
}

func (e *callError) Error() string { return "redis: " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

func (e *callError) Is(target error) bool { return target == ErrDenied && e.fault.denied }

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
