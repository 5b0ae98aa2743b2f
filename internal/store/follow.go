package store

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	batch    = 500         // names read in one round trip
	maxPause = time.Second // between retries while Redis is away
)

// Follow implements Store.
//
// A published message only says which name to read again; a subscription, the
// first or one after a lost connection, says that messages may have been missed, so
// everything is read again, and so it is every minute. The loops do the I/O, and the
// type freshness decides when to read and what the copy may be believed.
func (r *Redis) Follow(ctx context.Context, c *Copy) {
	f := follower{Redis: r, copy: c, changes: make(chan struct{}, 1), scans: make(chan struct{}, 1)}
	r.fresh.followed(time.Now())
	r.followed.Store(c)
	var wg sync.WaitGroup
	wg.Go(func() { f.listen(ctx) })
	wg.Go(func() { f.readChanged(ctx) })
	wg.Go(func() { f.readAll(ctx) })
	wg.Go(func() { f.watchFreshness(ctx) })
	if r.journal != nil {
		wg.Go(func() { f.keepJournal(ctx) })
	}
	wg.Wait()
}

type follower struct {
	*Redis
	copy    *Copy
	changes chan struct{} // wakes readChanged
	scans   chan struct{} // wakes readAll
	telling sync.Mutex    // orders the updates of the copy in time
}

// listen keeps a subscription until ctx is done.
func (f *follower) listen(ctx context.Context) {
	var pause backoff
	for ctx.Err() == nil {
		begin := time.Now()
		err := f.subscription(ctx)
		f.fresh.unsubscribed(time.Now())
		_ = f.hearing.note(ctx, f.log, err)
		if time.Since(begin) > maxPause {
			pause = 0
		}
		pause.sleep(ctx)
	}
}

// subscription collects what changes until the connection fails, and returns
// why. A silent connection is checked with a ping: the machine at its other end
// may be gone.
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
		switch m := m.(type) {
		case *redis.Subscription:
			f.fresh.subscribed(time.Now())
			_ = f.hearing.note(ctx, f.log, nil)
			signal(f.scans)
			signal(f.published)
		case *redis.Message:
			signal(f.published)
			if id, ok := zone.ParseID(m.Payload); ok {
				f.fresh.changed(id)
				signal(f.changes)
			}
		}
		f.fresh.heard(time.Now())
	}
}

// readChanged reads what changed, as soon as it is told.
func (f *follower) readChanged(ctx context.Context) {
	var pause backoff
	for wait(ctx, f.changes) {
		for ctx.Err() == nil {
			ids := f.fresh.take(time.Now(), batch)
			if len(ids) == 0 {
				break
			}
			values, err := f.readIdentified(ctx, ids)
			for i := range values {
				f.copy.put(ids[i], values[i], f.fresh.Keep(time.Now()))
			}
			f.fresh.read(err == nil)
			if err != nil {
				pause.sleep(ctx)
				continue
			}
			pause = 0
		}
	}
}

// readAll reads everything when that is due; when it fails it retries, with back-off.
func (f *follower) readAll(ctx context.Context) {
	tick := time.NewTicker(freshCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.scans:
		case <-tick.C:
		}
		for pause := backoff(0); ctx.Err() == nil && f.fresh.ScanDue(time.Now()); {
			if err := f.scan(ctx); err != nil {
				pause.sleep(ctx)
			}
		}
	}
}

// watchFreshness tells the copy whether it is fresh, until ctx is done: what time
// alone changes is noticed here.
func (f *follower) watchFreshness(ctx context.Context) {
	tick := time.NewTicker(freshCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.tellCopy()
		}
	}
}

func (f *follower) tellCopy() {
	f.telling.Lock()
	defer f.telling.Unlock()
	f.copy.setFresh(f.fresh.Fresh(time.Now()))
}

// signal makes the next wait on c return, without waiting for it.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait returns true when there is a signal, false when ctx is done.
func wait(ctx context.Context, c <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-c:
		return ctx.Err() == nil
	}
}
