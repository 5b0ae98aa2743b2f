package main

import (
	"sync"
	"time"
)

// failure is the first error of several parts that run at once. The zero
// failure has not happened.
type failure struct {
	once  sync.Once
	first error
	done  chan struct{}
	init  sync.Once
}

// set notes err, if it is one and the first.
func (f *failure) set(err error) {
	if err == nil {
		return
	}
	f.once.Do(func() {
		f.first = err
		close(f.happened())
	})
}

// happened returns a channel that is closed by the first error.
func (f *failure) happened() chan struct{} {
	f.init.Do(func() { f.done = make(chan struct{}) })
	return f.done
}

// wait waits for d, or less if something fails.
func (f *failure) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-f.happened():
	}
}

// err returns the first error, nil if there was none.
func (f *failure) err() error {
	select {
	case <-f.happened():
		return f.first
	default:
		return nil
	}
}
