package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const (
	journalCheck = 500 * time.Millisecond // between two looks at the version without a message
	journalScan  = resyncInterval         // between two readings of everything
)

// keepJournal makes the journal equal to Redis, version by version, and keeps it so
// until ctx is done. A message only wakes it: the log of changes says what to apply.
func (f *follower) keepJournal(ctx context.Context) {
	tick := time.NewTicker(journalCheck)
	defer tick.Stop()
	k := keeper{follower: f}
	for pause := backoff(0); ctx.Err() == nil; {
		if err := k.advance(ctx); err != nil { // already logged by call
			pause.sleep(ctx)
			continue
		}
		pause = 0
		select {
		case <-ctx.Done():
		case <-f.published:
		case <-tick.C:
		}
	}
}

// keeper is the state of keepJournal.
type keeper struct {
	*follower
	scanned time.Time // when everything was last read
}

// advance brings the journal to the version that Redis is at. It returns without
// having done so, and without an error, while Redis may have lost writes: the
// secondaries keep what they have until it has been put back.
func (k *keeper) advance(ctx context.Context) error {
	at, shown := k.journal.at()
	c, entries, err := k.since(ctx, at)
	switch {
	case err != nil:
		return err
	case c.version < max(at, 1): // the first ever, or it went back
		if err := k.raise(ctx, at+1); err != nil {
			return err
		}
		return k.readAgain(ctx)
	case !shown:
		return k.readAgain(ctx)
	case c.version == at && time.Since(k.scanned) < k.rescan:
		return nil
	case c.version == at:
		return k.readAgain(ctx)
	}
	if !follows(at, entries, c.version) {
		return k.readAgain(ctx)
	}
	for _, e := range entries {
		k.journal.apply(e.version, map[uuid.UUID][]string{e.id: e.values})
	}
	return nil
}

// since returns the version and the changes from another one to it. The version is read
// first, and what is newer in the log left out: so both are as of one moment also in a
// Cluster, which refuses transactions while it moves the slot.
func (r *Redis) since(ctx context.Context, from int64) (c counter, entries []entry, err error) {
	newer := &redis.ZRangeBy{Min: "(" + strconv.FormatInt(from, 10), Max: "+inf"}
	err = r.call(ctx, &r.reading, func(ctx context.Context) error {
		var version *redis.StringCmd
		var list *redis.StringSliceCmd
		if _, ok := r.client.(*redis.ClusterClient); ok {
			version = r.client.Get(ctx, r.version)
			list = r.client.ZRangeByScore(ctx, r.changes, newer)
		} else {
			_, _ = r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				version = pipe.Get(ctx, r.version)
				list = pipe.ZRangeByScore(ctx, r.changes, newer)
				return nil
			})
		}
		if err := version.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if err := list.Err(); err != nil {
			return err
		}
		c, entries = parseCounter(version.Val()), parseEntries(list.Val())
		entries = slices.DeleteFunc(entries, func(e entry) bool { return e.version > c.version })
		return nil
	})
	return c, entries, err
}

// parseEntries returns the changes up to one that cannot be read: what follows it does
// not fit then, and everything is read.
func parseEntries(texts []string) (entries []entry) {
	for _, text := range texts {
		e, ok := parseEntry(text)
		if !ok {
			break
		}
		entries = append(entries, e)
	}
	return entries
}

// follows reports whether the entries lead from one version to another without a gap.
func follows(from int64, entries []entry, to int64) bool {
	for _, e := range entries {
		if e.before != from {
			return false
		}
		from = e.version
	}
	return from == to
}

// readAgain reads everything into the journal, unless Redis may just have lost it.
func (k *keeper) readAgain(ctx context.Context) error {
	if err := k.call(ctx, &k.reading, k.identify); err != nil {
		return err
	}
	if k.fresh.Keep(time.Now()) {
		return nil
	}
	at, shown := k.journal.at()
	c, names, expired, err := k.readVersion(ctx)
	if err != nil || names == nil {
		return err
	}
	if !shown {
		if young, err := k.young(ctx, c); err != nil || young {
			return err
		}
	}
	if k.fresh.Keep(time.Now()) || shown && c.version < at {
		return nil // a loss was noticed meanwhile
	}
	k.scanned = time.Now()
	if shown && c.version == at {
		return k.repair(ctx, c, names, expired)
	}
	k.journal.replace(c.version, names)
	return nil
}

// young reports whether the store is so young that it may have been emptied, or been
// loaded with older data, a moment ago: a replica that has not seen it before cannot
// tell from a new one, and waits until the others have put back what was lost.
func (k *keeper) young(ctx context.Context, c counter) (young bool, err error) {
	err = k.call(ctx, &k.reading, func(ctx context.Context) error {
		now, err := k.now(ctx)
		young = now.Sub(c.born) < k.settle
		return err
	})
	if s := k.seen.Load(); s != nil && s.uptime >= 0 && s.uptime+time.Since(s.at) < k.settle {
		young = true
	}
	return young, err
}
