package schedule

import (
	"context"
	"sync/atomic"
)

// Each does n pieces of work, numbered from 0, once each, and returns when all are
// done. When ctx is done it begins no more.
func Each(ctx context.Context, n int, limits Limits, do func(ctx context.Context, i int)) {
	if n <= 0 {
		return
	}
	all, finish := context.WithCancel(context.WithoutCancel(ctx))
	defer finish()
	stop := context.AfterFunc(ctx, finish)
	defer stop()
	var done atomic.Int64
	s := New(limits, func(_ context.Context, i int) Next {
		do(ctx, i)
		if done.Add(1) == int64(n) {
			finish()
		}
		return Next{Done: true}
	})
	for i := range n {
		s.Urge(i)
	}
	s.Run(all)
}
