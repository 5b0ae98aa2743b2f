package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// readVersion reads all names and the version that they are of: those that change
// meanwhile are taken from the log. Without a version names is nil. Expired has those
// that have a value that has expired.
func (k *keeper) readVersion(ctx context.Context) (c counter, names map[uuid.UUID][]string, expired []uuid.UUID, err error) {
	begin, _, err := k.since(ctx, 1<<52)
	if err != nil {
		return c, nil, nil, err
	}
	names = map[uuid.UUID][]string{}
	err = k.eachName(ctx, func(ids []uuid.UUID) error {
		old, err := k.readMembers(ctx, ids, names)
		expired = append(expired, old...)
		return err
	})
	if err != nil {
		return c, nil, nil, err
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
