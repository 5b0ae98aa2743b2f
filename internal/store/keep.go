package store

import (
	"context"
	"errors"
	"maps"
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

// since returns the version and the changes since another one, as of one moment.
func (r *Redis) since(ctx context.Context, from int64) (c counter, entries []entry, err error) {
	err = r.call(ctx, &r.reading, func(ctx context.Context) error {
		var version *redis.StringCmd
		var list *redis.StringSliceCmd
		_, err := r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			version = pipe.Get(ctx, r.version)
			list = pipe.ZRangeByScore(ctx, r.changes, &redis.ZRangeBy{Min: "(" + strconv.FormatInt(from, 10), Max: "+inf"})
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		c, entries = parseCounter(version.Val()), parseEntries(list.Val())
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

// readVersion reads all names and the version that they are of: those that change
// meanwhile are taken from the log. Without a version names is nil. Expired has those
// that have a value that has expired.
func (k *keeper) readVersion(ctx context.Context) (c counter, names map[uuid.UUID][]string, expired []uuid.UUID, err error) {
	begin, _, err := k.since(ctx, 1<<52)
	if err != nil {
		return c, nil, nil, err
	}
	names = map[uuid.UUID][]string{}
	for cursor := uint64(0); ; {
		var ids []uuid.UUID
		if ids, cursor, err = k.nextKeys(ctx, cursor); err != nil {
			return c, nil, nil, err
		}
		old, err := k.readMembers(ctx, ids, names)
		if err != nil {
			return c, nil, nil, err
		}
		if expired = append(expired, old...); cursor == 0 {
			break
		}
	}
	c, entries, err := k.since(ctx, begin.version)
	if err != nil || !follows(begin.version, entries, c.version) {
		return c, nil, nil, err // read again at the next look
	}
	for _, e := range entries {
		if names[e.id] = e.values; len(e.values) == 0 {
			delete(names, e.id)
		}
	}
	return c, names, expired, nil
}

// readMembers reads the values of some names, also those that have expired: these are
// in the zone until their removal has a version.
func (k *keeper) readMembers(ctx context.Context, ids []uuid.UUID, into map[uuid.UUID][]string) (expired []uuid.UUID, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = k.call(ctx, &k.reading, func(ctx context.Context) error {
		expired = nil
		now, cmds, err := k.fetch(ctx, ids)
		if err != nil {
			return err
		}
		for i, cmd := range cmds {
			if redis.HasErrorPrefix(cmd.Err(), "WRONGTYPE") {
				continue // the copy's reading logs it
			} else if cmd.Err() != nil {
				return cmd.Err()
			}
			var values []string
			for _, z := range cmd.Val() {
				values = append(values, z.Member.(string))
			}
			if len(values) > 0 {
				into[ids[i]] = sorted(values)
			}
			if len(unexpired(cmd.Val(), now)) < len(values) {
				expired = append(expired, ids[i])
			}
		}
		return nil
	})
	return expired, err
}

// repair gives a version to what changed without one: values that have expired, and
// what a replica has changed that keeps no versions. Of several replicas one does it,
// while the version is still the one that was read.
func (k *keeper) repair(ctx context.Context, c counter, names map[uuid.UUID][]string, expired []uuid.UUID) error {
	touch := func(map[string]time.Time, time.Time) bool { return false }
	for _, id := range expired {
		if err := k.changeVersioned(ctx, id, touch, false); err != nil {
			return err
		}
	}
	_, known, _ := k.journal.Current()
	var differ []uuid.UUID
	for _, id := range slices.Concat(slices.Collect(maps.Keys(names)), slices.Collect(maps.Keys(known))) {
		if !slices.Equal(names[id], known[id]) && !slices.Contains(expired, id) && !slices.Contains(differ, id) {
			differ = append(differ, id)
		}
	}
	for _, id := range differ {
		if at, _ := k.journal.at(); at != c.version {
			return nil
		}
		if err := k.changeVersioned(ctx, id, touch, true); err != nil {
			return err
		}
	}
	return nil
}
