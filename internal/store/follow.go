package store

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	resyncInterval = time.Minute     // between full reads, while Redis tells what changes
	deafInterval   = 2 * time.Second // between them while it does not
	pingInterval   = time.Second     // of silence, after which the connection is tried, and given up after as much again
	batch          = 500             // names read in one round trip
	maxPause       = time.Second     // between tries while Redis is away

	// restoreTime is how long names are kept that Redis has lost, for somebody to
	// put them back.
	restoreTime = 10 * time.Second
)

// Follow implements Store.
//
// A published message only says which name to read again; a subscription, the
// first or one after a lost connection, says that messages may have been
// missed, so everything is read again, and so it is every minute.
func (r *Redis) Follow(ctx context.Context, c *Copy) {
	f := follower{Redis: r, copy: c, changed: make(chan struct{}, 1), resync: make(chan struct{}, 1)}
	f.begin = time.Now()
	r.followed.Store(c)
	var wg sync.WaitGroup
	wg.Go(func() { f.listen(ctx) })
	wg.Go(func() { f.readChanged(ctx) })
	wg.Go(func() { f.readAll(ctx) })
	wg.Go(func() { f.expire(ctx) })
	wg.Wait()
}

type follower struct {
	*Redis
	copy    *Copy
	changed chan struct{} // there is something in dirty
	resync  chan struct{} // everything is to be read again
	deaf    atomic.Bool   // there is no subscription
	keeping bool          // names that the last full read did not see; touched by readAll alone
	begin   time.Time     // of Follow
	known   atomic.Int64  // as of when the copy is known to be complete, in nanoseconds since then: no clock that somebody sets
	heard   atomic.Bool   // everything was read since the subscription began, and so nothing is missing but what is in dirty
	session atomic.Int64  // counts subscriptions that began or ended

	mu    sync.Mutex
	dirty map[uuid.UUID]struct{}
	busy  bool // with what was dirty
}

// listen keeps a subscription until ctx is done.
func (f *follower) listen(ctx context.Context) {
	var pause backoff
	for ctx.Err() == nil {
		begin := time.Now()
		err := f.subscription(ctx)
		f.deaf.Store(true)
		f.session.Add(1)
		f.heard.Store(false)
		_ = f.hearing.note(ctx, f.log, err)
		if time.Since(begin) > maxPause {
			pause = 0
		}
		pause.sleep(ctx)
	}
}

// subscription collects what changes until the connection fails, and returns
// why. A connection on which nothing comes is tried with a ping: it may lead to
// a machine that is no more.
func (f *follower) subscription(ctx context.Context) error {
	pubsub := f.client.Subscribe(ctx, f.channel)
	defer pubsub.Close()
	stop := context.AfterFunc(ctx, func() { pubsub.Close() })
	defer stop()
	for pinged := false; ; {
		m, err := pubsub.ReceiveTimeout(ctx, pingInterval)
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout() && !pinged:
			if err := pubsub.Ping(ctx); err != nil {
				return err
			}
			pinged = true
			continue
		case err != nil:
			return err
		}
		pinged = false
		f.alive()
		switch m := m.(type) {
		case *redis.Subscription:
			f.session.Add(1)
			f.deaf.Store(false)
			_ = f.hearing.note(ctx, f.log, nil)
			signal(f.resync)
		case *redis.Message:
			if id, ok := zone.ParseID(m.Payload); ok {
				f.mark(id)
			}
		}
	}
}

func (f *follower) mark(ids ...uuid.UUID) {
	f.mu.Lock()
	if f.dirty == nil {
		f.dirty = map[uuid.UUID]struct{}{}
	}
	for _, id := range ids {
		f.dirty[id] = struct{}{}
	}
	f.mu.Unlock()
	signal(f.changed)
}

// take returns some of the names that changed, none when there are no more.
func (f *follower) take() []uuid.UUID {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]uuid.UUID, 0, min(len(f.dirty), batch))
	for id := range f.dirty {
		if len(ids) == batch {
			break
		}
		ids = append(ids, id)
		delete(f.dirty, id)
	}
	f.busy = len(ids) > 0
	return ids
}

// readChanged reads again what changed, as soon as it is told.
func (f *follower) readChanged(ctx context.Context) {
	var pause backoff
	for wait(ctx, f.changed) {
		for {
			began := time.Now()
			ids := f.take()
			if len(ids) == 0 || ctx.Err() != nil {
				break
			}
			values, err := f.read(ctx, ids)
			if err != nil {
				f.mark(ids...)
				pause.sleep(ctx)
				continue
			}
			pause = 0
			for i, id := range ids {
				f.copy.put(id, values[i])
			}
			if len(ids) < batch && f.heard.Load() { // these were all
				f.touch(began)
			}
		}
	}
}

// readAll reads everything when told, and every minute; while that fails it
// tries on. The first time it waits for the subscription, so that nothing can
// change between the two unheard.
func (f *follower) readAll(ctx context.Context) {
	tick := time.NewTicker(deafInterval)
	defer tick.Stop()
	var last time.Time // of a full read that succeeded
	var pause backoff
	for {
		told := false
		select {
		case <-ctx.Done():
			return
		case <-f.resync:
			told = true
		case <-tick.C:
		}
		due := told || f.deaf.Load() || f.keeping && !f.era.within(restoreTime) || time.Since(last) > resyncInterval
		for ctx.Err() == nil && due {
			if err := f.scan(ctx); err == nil {
				last, pause, due = time.Now(), 0, false
				continue
			}
			pause.sleep(ctx)
		}
	}
}

// scan reads every name once into the copy.
func (f *follower) scan(ctx context.Context) (err error) {
	began, session := time.Now(), f.session.Load()
	f.copy.beginRead()
	defer func() {
		f.copy.endRead(err == nil, f.keeping)
		if err != nil {
			return
		}
		f.touch(began)
		if !f.stale() {
			f.copy.complete()
		}
		if !f.deaf.Load() {
			f.heard.Store(true)
			if f.session.Load() != session { // it was not there all the time
				f.heard.Store(false)
			}
		}
	}()
	node, err := f.node(ctx)
	if err != nil {
		return f.reading.note(ctx, f.log, err)
	}
	for cursor := uint64(0); ; {
		var keys []string
		keys, cursor, err = node.Scan(ctx, cursor, f.prefix+"*", batch).Result()
		if err != nil {
			return f.reading.note(ctx, f.log, err)
		}
		ids := make([]uuid.UUID, 0, len(keys))
		for _, key := range keys {
			if id, ok := zone.ParseID(strings.TrimPrefix(key, f.prefix)); ok {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			values, err := f.read(ctx, ids)
			if err != nil {
				return err
			}
			f.copy.putRead(ids, values)
		}
		if cursor == 0 {
			break
		}
	}
	if err := f.readEra(ctx); err != nil {
		return err
	}
	if f.keeping = f.era.within(restoreTime); f.keeping {
		return nil
	}
	return f.confirm(ctx)
}

// confirm reads the names again that the scan has not come by, before they are
// dropped: unlike other commands a scan is not redirected by a Cluster, and may
// have been answered by a server that no longer has the zone.
func (f *follower) confirm(ctx context.Context) error {
	for ids := range slices.Chunk(f.copy.unseen(), batch) {
		values, err := f.read(ctx, ids)
		if err != nil {
			return err
		}
		for i, id := range ids {
			f.copy.put(id, values[i])
		}
	}
	return nil
}
