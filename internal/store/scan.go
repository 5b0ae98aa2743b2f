package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/zone"
)

// scan reads every name once into the copy.
func (f *follower) scan(ctx context.Context) error {
	f.fresh.scanBegan(time.Now())
	f.copy.beginRead()
	keep, err := false, f.call(ctx, &f.reading, f.identify)
	if err == nil {
		keep, err = f.readKeys(ctx)
	}
	f.copy.endRead(err == nil, keep)
	f.fresh.scanned(time.Now(), err == nil)
	f.tellCopy()
	return err
}

// readKeys reads every key. It reports whether names that it has not seen stay in
// the copy, because Redis may have lost them.
func (f *follower) readKeys(ctx context.Context) (keep bool, err error) {
	for cursor := uint64(0); ; {
		var ids []uuid.UUID
		if ids, cursor, err = f.nextKeys(ctx, cursor); err != nil {
			return false, err
		}
		if len(ids) > 0 {
			values, err := f.readIdentified(ctx, ids)
			if err != nil {
				return false, err
			}
			f.copy.putRead(ids, values, f.fresh.Keep(time.Now()))
		}
		if cursor == 0 {
			break
		}
	}
	if err := f.call(ctx, &f.reading, f.identify); err != nil {
		return false, err
	}
	if f.fresh.Keep(time.Now()) {
		return true, nil
	}
	err = f.confirm(ctx)
	return f.fresh.Keep(time.Now()), err // confirm may have noticed a loss
}

// nextKeys goes one step on in the scan.
func (f *follower) nextKeys(ctx context.Context, cursor uint64) (ids []uuid.UUID, next uint64, err error) {
	err = f.call(ctx, &f.reading, func(ctx context.Context) error {
		node, err := f.node(ctx)
		if err != nil {
			return err
		}
		var keys []string
		keys, next, err = node.Scan(ctx, cursor, f.prefix+"*", batch).Result()
		for _, key := range keys {
			if id, ok := zone.ParseID(strings.TrimPrefix(key, f.prefix)); ok {
				ids = append(ids, id)
			}
		}
		return err
	})
	return ids, next, err
}

// confirm reads the names that the scan has not seen, before they are dropped:
// unlike other commands SCAN is not redirected by a Cluster, and may have been
// answered by a server that no longer has the zone. Like all of a full read
// this does not undo what readChanged has put into the copy meanwhile.
func (f *follower) confirm(ctx context.Context) error {
	for ids := range slices.Chunk(f.copy.unseen(), batch) {
		values, err := f.readIdentified(ctx, ids)
		if err != nil {
			return err
		}
		f.copy.putRead(ids, values, f.fresh.Keep(time.Now()))
	}
	return nil
}
