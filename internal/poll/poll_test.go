package poll

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errNotYet = errors.New("not yet")

// recorder is a T that remembers instead of ending a test.
type recorder struct {
	*testing.T
	said string
}

func (r *recorder) Fatal(args ...any) { r.said = fmt.Sprint(args...) }

func TestTry(t *testing.T) {
	for name, c := range map[string]struct {
		after  time.Duration // from when on it holds
		cancel time.Duration // when the context ends; 0 for never
		want   string        // in the error; empty for none
		within time.Duration
	}{
		"at once":               {want: "", within: 0},
		"after a while":         {after: time.Second, within: time.Second + longest},
		"just at the end":       {after: 10 * time.Second, within: 10 * time.Second},
		"too late":              {after: 11 * time.Second, want: "tea: not within 10s: not yet", within: 10 * time.Second},
		"the context has ended": {after: time.Minute, cancel: time.Second, want: "tea: context canceled: not yet", within: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancel != 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				begin := time.Now()
				err := Try(ctx, 10*time.Second, "tea", func() error {
					if time.Since(begin) < c.after {
						return errNotYet
					}
					return nil
				})
				if took := time.Since(begin); took > c.within {
					t.Errorf("took %v, want at most %v", took, c.within)
				}
				if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
		})
	}
}

func TestUntilFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{T: t}
		Until(r, time.Second, "tea", func() error { return errNotYet })
		if r.said != "tea: not within 1s: not yet" {
			t.Errorf("got %q", r.said)
		}
		r.said = ""
		True(r, time.Second, "tea", func() bool { return false })
		if !strings.Contains(r.said, "not within 1s") {
			t.Errorf("got %q", r.said)
		}
		r.said = ""
		True(r, time.Second, "tea", func() bool { return true })
		if r.said != "" {
			t.Errorf("got %q", r.said)
		}
	})
}
