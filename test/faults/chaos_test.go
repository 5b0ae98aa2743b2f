package faults

import (
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// chaos does one fault after the other, each kind once before any comes again,
// until enough challenges have been there, or until the deadline.
func (s *soak) chaos(random *rand.Rand, redis *redistest.Server, host string, deadline time.Time) {
	s.Helper()
	seconds := func(from, to float64) time.Duration {
		return time.Duration((from + random.Float64()*(to-from)) * float64(time.Second))
	}
	kinds := []string{killed, stopped, cutOff, paused, restarts}
	for {
		random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		for _, kind := range kinds {
			time.Sleep(seconds(0.5, 3))
			if time.Now().After(deadline) {
				s.Errorf("only %d of %d challenges in all this time", s.finished.Load(), *soakCount)
				return
			}
			i := random.IntN(len(s.replicas))
			r := s.replicas[i]
			switch kind {
			case killed:
				s.episode(kind, i, func() { r.kill(); time.Sleep(seconds(0, 3)); r.run(); r.ready() })
			case stopped:
				s.episode(kind, i, func() { r.End(syscall.SIGTERM); r.run(); r.ready() })
			case cutOff:
				s.episode(kind, i, func() { r.network.cut(host); time.Sleep(seconds(0.5, 11)); r.network.heal(host) })
			case paused:
				s.episode(kind, -1, func() { redis.Pause(); time.Sleep(seconds(0.2, 6)); redis.Resume() })
			case restarts:
				s.episode(kind, -1, func() { redis.Kill(); time.Sleep(seconds(0, 3)); redis.Run() })
			}
		}
		if int(s.finished.Load()) >= *soakCount {
			return
		}
	}
}

// episode does a fault, and notes from when to when.
func (s *soak) episode(kind string, replica int, fault func()) {
	begin := time.Now()
	fault()
	s.episodes = append(s.episodes, episode{kind: kind, replica: replica, begin: begin, end: time.Now()})
}
