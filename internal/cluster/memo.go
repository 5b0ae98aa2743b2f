package cluster

import (
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// memo is what was found out about objects: they are gone through after every change
// of any of them, and each costs the selection of a solver. It may be used by many
// goroutines; the zero memo remembers nothing.
type memo[T any] struct{ last atomic.Pointer[memory[T]] }

// memory is never changed, only replaced.
type memory[T any] struct {
	issuers uint64 // changes of Issuers until then
	known   map[types.UID]remembered[T]
}

type remembered[T any] struct {
	version string
	value   T
	ok      bool
}

// remembering returns what is remembered of an object, if neither it nor an Issuer has
// changed, and what find returns otherwise.
type remembering[T any] func(o metav1.Object, find func() (T, bool)) (T, bool)

// renew calls each, which goes through all objects. What it does not ask for is
// forgotten. issuers is how often Issuers have changed.
func (m *memo[T]) renew(issuers uint64, each func(remembering[T])) {
	old := m.last.Load()
	if old != nil && old.issuers != issuers {
		old = nil
	}
	now := &memory[T]{issuers: issuers, known: map[types.UID]remembered[T]{}}
	if old != nil {
		now.known = make(map[types.UID]remembered[T], len(old.known))
	}
	each(func(o metav1.Object, find func() (T, bool)) (T, bool) {
		var r remembered[T]
		if old != nil {
			r = old.known[o.GetUID()]
		}
		if r.version == "" || r.version != o.GetResourceVersion() {
			r.version = o.GetResourceVersion()
			r.value, r.ok = find()
		}
		now.known[o.GetUID()] = r
		return r.value, r.ok
	})
	m.last.Store(now)
}
