package store

import (
	"context"
	"time"
)

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

// backoff is the last pause between two tries; zero before the first.
type backoff time.Duration

func (b *backoff) sleep(ctx context.Context) {
	*b = min(max(2**b, backoff(50*time.Millisecond)), backoff(maxPause))
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(*b)):
	}
}
