package solver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/signpost-acme/signpost/internal/store"
)

// What cert-manager, and so the Challenge's status, is told. The text must not
// change from one try to the next.
var (
	errStore        = errors.New("Signpost's record store (Redis) cannot be reached; it is retried, and if this stays, the log of the signpost pods has the cause")                                     //nolint:staticcheck // a name begins the sentence
	errStoreRefuses = errors.New("Signpost's record store (Redis) does not take the record")                                                                                                            //nolint:staticcheck // a name begins the sentence
	errNoServer     = errors.New("none of Signpost's DNS servers is running; it is retried, and if this stays, look at the signpost pods and at their log")                                             //nolint:revive // see above
	errNotServed    = errors.New("not all of Signpost's DNS servers answer with the new record yet; it is retried, and if this stays, the log of the signpost pods names the server and the cause")     //nolint:revive // see above
	errSecondary    = errors.New("not all secondaries of the zone answer with the new record yet; it is retried, and if this stays, look at the logs of those that are named and of the signpost pods") //nolint:revive // see above
	errLate         = errors.New("Signpost took too long to look at the domain's record; it is retried, and if this stays, the log of the signpost pods has the cause")                                 //nolint:staticcheck,revive // a name begins the sentence
	errCleanedUp    = errors.New("the challenge has been cleaned up while it was presented; it is retried if it is still needed")
)

const (
	firstPause = 500 * time.Microsecond // between two rounds of asking; a change is usually there in a millisecond
	maxPause   = 200 * time.Millisecond
)

// await returns when every live DNS server, and every secondary, answers with value at name, or with
// an error when ctx is done before that. Servers that stop meanwhile are
// waited for until their heartbeat expires; new ones have read everything.
func (s *Solver) await(ctx context.Context, log *slog.Logger, name, value string) error {
	serving := map[string]bool{}
	causes := map[string]error{}
	var replicas []string
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		list, err := s.store.Replicas(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error("the list of DNS servers cannot be read from the store", "err", err)
			return storeError(err)
		}
		if err == nil { // else time has run out, and what was found last is the reason
			replicas, causes = list, s.askAll(ctx, s.secondaries.with(list), serving, name, value)
			s.known(list)
			if len(replicas) > 0 && len(causes) == 0 {
				return nil
			}
		}
		select {
		case <-time.After(pause):
			continue
		case <-ctx.Done():
		}
		if len(replicas) == 0 {
			log.Error("no DNS server has announced itself in the store")
			return errNoServer
		}
		for server, cause := range causes {
			log.Error("a DNS server does not answer with the new record", "server", server, "err", cause)
		}
		return s.secondaries.lagging(causes)
	}
}

// awaitGone returns when every live DNS server has answered without value at name.
// It is best effort, for goneTimeout at most: a server that has lost the store still
// has the value, and drops it when the store is back.
func (s *Solver) awaitGone(ctx context.Context, log *slog.Logger, name, value string) {
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		var waiting []string // those that have it, or do not tell
		list, err := s.store.Replicas(ctx)
		serving := map[string]bool{}
		for server, cause := range s.askAll(ctx, s.secondaries.with(s.known(list)), serving, name, value) {
			if !errors.Is(cause, errNotYet) {
				waiting = append(waiting, server)
			}
		}
		waiting = slices.Sorted(slices.Values(slices.AppendSeq(waiting, maps.Keys(serving))))
		if err == nil && len(waiting) == 0 {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			log.Warn("DNS servers may still answer with a record that is removed", "target", name, "servers", waiting)
			return
		}
	}
}

// known returns the servers of list, and remembers them. While the store
// does not know them list is empty: then known returns the last list that was not.
func (s *Solver) known(list []string) []string {
	if len(list) > 0 {
		s.servers.Store(&list)
	} else if last := s.servers.Load(); last != nil {
		return *last
	}
	return list
}

// storeError is what cert-manager is told when the store has failed: the cause in
// stable words, if it is another one than an outage.
func storeError(err error) error {
	if text := store.Explain(err); text != "" {
		return fmt.Errorf("%w: %s", errStoreRefuses, text)
	}
	return errStore
}

var errNotYet = errors.New("answers, but without the value")

// askAll asks those servers that are not in serving yet, adds those that answer
// with the value, and returns for the others why they do not.
func (s *Solver) askAll(ctx context.Context, servers []string, serving map[string]bool, name, value string) map[string]error {
	causes := map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	waiting := slices.DeleteFunc(slices.Clone(servers), func(server string) bool { return serving[server] })
	for _, server := range waiting {
		wg.Go(func() {
			serves := s.serves
			if _, is := s.secondaries.names[server]; is {
				serves = s.secondaries.serves
			}
			ok, err := serves(ctx, server, name, value)
			if !ok && err == nil {
				err = errNotYet
			}
			mu.Lock()
			defer mu.Unlock()
			if ok {
				serving[server] = true
			} else {
				causes[server] = err
			}
		})
	}
	wg.Wait()
	return causes
}
