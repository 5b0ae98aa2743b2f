package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// health knows whether one way of using Redis works, so that the log says it
// once when that changes, and not for every call.
type health struct {
	works, fails string // what the log says
	bad          atomic.Bool
}

// note takes the outcome of a call that was made for caller, and returns it as
// an error that says where it comes from. A call that the caller itself has
// given up says nothing about Redis.
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
