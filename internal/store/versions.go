package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/zone"
)

// A version is what the zone's serial is made of: a number that every change of the
// content raises, in the transaction of the change, to the Unix time in seconds, or by
// one where that is not more. So it never falls behind what was shown before Redis
// lost it, unless there was more than one change a second, on average, since the
// beginning; a replica that has shown more raises it then.
//
// The key signpost:{acme.example.com}:version has it, with the moment when Redis
// had none, in Unix milliseconds. The sorted set signpost:{acme.example.com}:log has
// an entry for each of the last changes, with the version as score: see entry.
const (
	// logLength is how many versions an entry stays in the log: with at most one more
	// than there are seconds, that bounds their number too.
	logLength = 7200

	// expiredLater is how long a key outlives its last value where there are versions:
	// a replica removes what has expired, as a change with a version of its own.
	expiredLater = 24 * time.Hour
)

// KeepVersions has every change of r raise the version, and Follow keep j. It must be
// called before anything else, on all replicas or none: a change by one that does
// not raise it is noticed within a minute, and gets a version then.
func (r *Redis) KeepVersions(j *Journal) {
	r.journal = j
	j.latest = func(ctx context.Context) (version int64, err error) {
		err = r.call(ctx, &r.reading, func(ctx context.Context) error {
			text, err := r.client.Get(ctx, r.version).Result()
			if errors.Is(err, redis.Nil) {
				return nil
			}
			version = parseCounter(text).version
			return err
		})
		return version, err
	}
}

// counter is the content of the version's key.
type counter struct {
	version int64
	born    time.Time // when Redis had none; by its own clock
}

func (c counter) String() string { return fmt.Sprintf("%d %d", c.version, c.born.UnixMilli()) }

func parseCounter(text string) (c counter) {
	version, born, _ := strings.Cut(text, " ")
	c.version, _ = strconv.ParseInt(version, 10, 64)
	ms, _ := strconv.ParseInt(born, 10, 64)
	c.born = time.UnixMilli(ms)
	return c
}

// next returns the counter after a change.
func (c counter) next(now time.Time, atLeast int64) counter {
	if c.version == 0 {
		c.born = now
	}
	c.version = max(c.version+1, now.Unix(), atLeast)
	return c
}

// entry is one change in the log.
type entry struct {
	version, before int64
	id              uuid.UUID
	values          []string // under id after it, sorted
}

// String returns "version before id", and each value as a netstring behind it: a
// value may have any octet in it.
func (e entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %s", e.version, e.before, e.id)
	for _, v := range e.values {
		fmt.Fprintf(&b, " %d:%s", len(v), v)
	}
	return b.String()
}

func parseEntry(text string) (e entry, ok bool) {
	fields := strings.SplitN(text, " ", 4)
	if len(fields) < 3 {
		return e, false
	}
	e.version, _ = strconv.ParseInt(fields[0], 10, 64)
	e.before, _ = strconv.ParseInt(fields[1], 10, 64)
	if e.id, ok = zone.ParseID(fields[2]); !ok || e.version <= e.before {
		return e, false
	}
	for rest := strings.Join(fields[3:], ""); rest != ""; rest = strings.TrimPrefix(rest, " ") {
		size, value, _ := strings.Cut(rest, ":")
		n, err := strconv.Atoi(size)
		if err != nil || n < 0 || n > len(value) {
			return e, false
		}
		e.values, rest = append(e.values, value[:n]), value[n:]
	}
	return e, true
}

// edit changes the values of a name, which it has with their expiry. It returns
// whether there is anything to write.
type edit func(set map[string]time.Time, now time.Time) bool

// changeVersioned makes a change to the values under id, publishes it, and raises the
// version if other values are there then. Where force is set it does so in any case.
func (r *Redis) changeVersioned(ctx context.Context, id uuid.UUID, what edit, force bool) error {
	return r.transact(ctx, r.key(id), func(ctx context.Context, tx *redis.Tx, now time.Time, c counter) (func(redis.Pipeliner), error) {
		key := r.key(id)
		members, err := tx.ZRangeWithScores(ctx, key, 0, -1).Result()
		if err != nil {
			return nil, err
		}
		before, set := make([]string, 0, len(members)), map[string]time.Time{}
		for _, z := range members {
			before = append(before, z.Member.(string))
			if z.Score > milliseconds(now) {
				set[z.Member.(string)] = time.UnixMilli(int64(z.Score))
			}
		}
		write := what(set, now)
		e := entry{before: c.version, id: id, values: slices.Sorted(maps.Keys(set))}
		raise := force || !slices.Equal(sorted(before), e.values)
		if !write && !raise {
			return nil, nil
		}
		return func(pipe redis.Pipeliner) {
			for _, v := range before {
				if _, ok := set[v]; !ok {
					pipe.ZRem(ctx, key, v)
				}
			}
			var last time.Time
			for v, expiry := range set {
				pipe.ZAdd(ctx, key, redis.Z{Score: milliseconds(expiry), Member: v})
				if expiry.After(last) {
					last = expiry
				}
			}
			if len(set) > 0 {
				pipe.PExpireAt(ctx, key, last.Add(expiredLater))
			}
			if raise {
				c := c.next(now, r.floor())
				e.version = c.version
				r.write(ctx, pipe, c)
				pipe.ZAdd(ctx, r.changes, redis.Z{Score: float64(e.version), Member: e.String()})
				pipe.ZRemRangeByScore(ctx, r.changes, "-inf", strconv.FormatInt(e.version-logLength, 10))
			}
			pipe.Publish(ctx, r.channel, id.String())
		}, nil
	})
}

func (r *Redis) write(ctx context.Context, pipe redis.Pipeliner, c counter) {
	pipe.Set(ctx, r.version, c.String(), 0)
}

// floor is the least that the next version may be: more than what this replica shows.
func (r *Redis) floor() int64 {
	if version, shown := r.journal.at(); shown {
		return version + 1
	}
	return 0
}
