// Package poll waits until something is so, by asking again and again. It is for
// tests, and for what they start; it does not import testing, so that programs
// can use it too.
package poll

import (
	"context"
	"fmt"
	"time"
)

// The pauses between two calls grow from first to longest.
const (
	first   = 5 * time.Millisecond
	longest = 100 * time.Millisecond
)

// T is what Until needs of testing.TB.
type T interface {
	Helper()
	Fatal(args ...any)
}

// Until calls ok until it returns nil. If it still returns an error after the
// timeout, the test fails with that error. It must be called by the test's own
// goroutine, also in a cleanup; ok may end the test.
func Until(t T, timeout time.Duration, what string, ok func() error) {
	t.Helper()
	if err := Try(context.Background(), timeout, what, ok); err != nil {
		t.Fatal(err)
	}
}

// True is Until for a condition that has no more to say than whether it holds.
func True(t T, timeout time.Duration, what string, ok func() bool) {
	t.Helper()
	Until(t, timeout, what, func() error {
		if !ok() {
			return fmt.Errorf("it does not hold")
		}
		return nil
	})
}

// Try calls ok until it returns nil, for as long as the timeout and ctx allow. Its
// error is ok's last one, with what was waited for. ok is called at least once,
// and once more after the timeout has passed: a machine that was busy for so long
// is no fault of what is waited for.
func Try(ctx context.Context, timeout time.Duration, what string, ok func() error) error {
	begin := time.Now()
	for pause := first; ; pause = min(2*pause, longest) {
		late := time.Since(begin) >= timeout
		err := ok()
		if err == nil {
			return nil
		}
		if late {
			return fmt.Errorf("%s: not within %v: %w", what, timeout, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, ctx.Err(), err)
		case <-time.After(min(pause, max(0, timeout-time.Since(begin)))):
		}
	}
}
