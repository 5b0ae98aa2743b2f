package cluster

import "sync/atomic"

// memo is what was found out about an object, beside it: all objects are gone through
// after every change of any of them, and each costs the selection of a solver. It may be
// used by many goroutines; the zero memo remembers nothing.
type memo[T any] struct{ last atomic.Pointer[found[T]] }

type found[T any] struct {
	issuers uint64 // changes of Issuers until then
	value   *T     // nil for nothing
}

// of returns what is remembered, if no Issuer has changed since, and what find returns
// otherwise; nil for nothing. issuers is how often Issuers have changed.
func (m *memo[T]) of(issuers uint64, find func() (T, bool)) *T {
	if known := m.last.Load(); known != nil && known.issuers == issuers {
		return known.value
	}
	now := &found[T]{issuers: issuers}
	if value, ok := find(); ok {
		now.value = &value
	}
	m.last.Store(now)
	return now.value
}
