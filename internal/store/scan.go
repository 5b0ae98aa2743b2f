package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
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
	err = f.eachName(ctx, func(ids []uuid.UUID) error {
		values, err := f.readIdentified(ctx, ids)
		if err == nil {
			f.copy.putRead(ids, values, f.fresh.Keep(time.Now()))
		}
		return err
	})
	if err != nil {
		return false, err
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

// confirm reads the names that the scan has not seen, before they are dropped. Like all of
// a full read this does not undo what readChanged has put into the copy meanwhile.
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
