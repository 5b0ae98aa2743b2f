package faults

import (
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	"github.com/vishvananda/netlink"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/test/world"
)

// startApart starts Redis where replicas with networks of their own reach it.
func startApart(t *testing.T, name string, replicas int, args ...string) (*stage, *redistest.Server, string) {
	host, _, _ := net.SplitHostPort(world.RedisAddress)
	_, port, _ := net.SplitHostPort(redistest.Start(t).Addr)
	redis := redistest.StartAt(t, net.JoinHostPort(host, port), append([]string{"--protected-mode", "no"}, args...)...)
	s := newStage(t, name, redis.URL())
	s.start(replicas, true)
	return s, redis, host
}

// One replica is cut off from Redis, in the middle of many Presents. Those must not
// take effect later: what they have sent may still be on its way.
func networkCut(t *testing.T) row {
	s, redis, host := startApart(t, "network-cut", 2)
	cut, late := s.replicas[1], make([]challenge, 200)
	for i := range late {
		late[i] = s.newChallenge()
	}
	each := func(do func(challenge)) *sync.WaitGroup {
		var wg sync.WaitGroup
		for _, c := range late {
			wg.Go(func() { do(c) })
		}
		return &wg
	}
	return s.run(fault{
		begin: func() {
			calls := each(func(c challenge) { _ = cut.call(whapi.ChallengeActionPresent, c) })
			client := redis.Client()
			for n := int64(0); n < 40; { // some are in the middle
				var err error
				n, err = client.DBSize(t.Context()).Result()
				must(t, err)
			}
			cut.network.cut(host)
			calls.Wait()
			if err := cut.call(whapi.ChallengeActionPresent, late[0]); err == nil {
				t.Error("a replica without Redis has presented a challenge")
			}
		},
		end: func() {
			cut.network.heal(host)
			each(func(c challenge) { s.insist(s.replicas[0], whapi.ChallengeActionCleanUp, c) }).Wait()
		},
		late:  12 * time.Second, // when TCP would have tried again
		known: []string{"value"}, unknown: []string{nothing, servfail}, present: "succeeds", cleanUp: "succeeds",
	})
}

func networkGone(t *testing.T) row {
	s, _, _ := startApart(t, "network-gone", 2)
	link, err := netlink.LinkByName(s.replicas[1].network.link)
	must(t, err)
	return s.run(fault{
		begin: func() { must(t, netlink.LinkSetDown(link)) }, end: func() { must(t, netlink.LinkSetUp(link)) }, lasts: away,
		known: []string{"value", silent}, unknown: []string{nothing, silent}, present: "succeeds", cleanUp: "succeeds", down: true,
		may: []string{servfail}, // the answer that gets through in the end
	})
}

// A replica is killed while it waits for the other, which is paused, to have the
// record; cert-manager then calls the other.
func replicaKilled(t *testing.T) row {
	s, redis := withRedis(t, "replica-killed")
	killed, other := s.replicas[1], s.replicas[0]
	broken := s.newChallenge()
	return s.run(fault{
		begin: func() {
			other.Signal(syscall.SIGSTOP)
			result := make(chan error)
			go func() { result <- killed.call(whapi.ChallengeActionPresent, broken) }()
			id, _, _ := strings.Cut(broken.target, ".")
			eventually(t, "Present has begun", func() error {
				return redis.Client().ZRank(t.Context(), "signpost:{"+s.zone.Origin()+"}:"+id, broken.key).Err()
			})
			killed.kill()
			if err := <-result; err == nil {
				t.Error("Present has succeeded although a replica did not answer, and the one that was called is dead")
			}
			other.Signal(syscall.SIGCONT)
			s.insist(other, whapi.ChallengeActionPresent, broken)
			s.promised(broken)
		},
		end:   func() { killed.run(); killed.ready(); s.cleanUp(other, broken) },
		lasts: time.Second,
		known: []string{"value", silent}, unknown: []string{nothing, silent}, present: "succeeds", cleanUp: "succeeds", down: true,
	})
}

func replicasKilled(t *testing.T) row {
	s, _ := withRedis(t, "replicas-killed")
	return s.run(fault{
		begin: func() {
			for _, r := range s.replicas {
				r.kill()
			}
		},
		end: func() {
			for _, r := range s.replicas {
				r.run()
			}
			for _, r := range s.replicas {
				r.ready()
			}
		},
		lasts: 3 * time.Second,
		known: []string{silent}, unknown: []string{silent}, down: true,
	})
}

// Without the API server nobody calls the webhook. The replicas serve DNS on.
func apiServerGone(t *testing.T) row {
	s, _ := withRedis(t, "api-server")
	return s.run(fault{
		begin: w.StopAPI, end: func() { must(t, w.StartAPI(t.Context())) }, lasts: 3 * time.Second,
		known: []string{"value"}, unknown: []string{nothing},
	})
}
