package faults

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/test/process"
)

// stage is an installation of its own in the world's cluster: a zone, replicas of
// signpost serve, and a Redis that the test brings.
type stage struct {
	*testing.T
	zone     *zone.Zone
	redisURL string
	flags    []string // of the replicas, beside the usual ones
	env      []string
	dir      string // working directory of the replicas, if not the world's
	replicas []*replica
	client   *http.Client
	names    atomic.Int32
}

// replica is one signpost serve.
type replica struct {
	*process.Process
	stage   *stage
	address string
	network *network // nil for the sandbox's
}

var stages atomic.Int32

// newStage returns a stage without replicas.
func newStage(t *testing.T, name, redisURL string) *stage {
	t.Helper()
	z, err := zone.New(name + ".example.com")
	must(t, err)
	return &stage{T: t, zone: z, redisURL: redisURL, client: newCaller()}
}

// start starts replicas and waits until they are ready; apart gives each a
// network namespace of its own.
func (s *stage) start(count int, apart bool) {
	s.Helper()
	number := int(stages.Add(1))
	for i := range count {
		r := &replica{stage: s, address: fmt.Sprintf("127.99.%d.%d", number, i+1)}
		if apart {
			r.network = newNetwork(s.T, 10*number+i)
			r.address = r.network.address
		}
		args := append([]string{"--zone", s.zone.Origin(), "--nameserver", "ns.example.net", "--listen", r.address + ":53",
			"--http-listen", r.address + ":8080", "--bind-address", r.address, "--redis-url", s.redisURL}, s.flags...)
		r.Process = w.Serve(fmt.Sprintf("%s-%d", strings.TrimSuffix(s.zone.Origin(), ".example.com"), i), args...)
		r.Env = s.env
		if s.dir != "" { // its log stays where there is room
			r.Args = append([]string{"env", "-C", s.dir}, r.Args...)
		}
		s.replicas = append(s.replicas, r)
		s.Cleanup(func() { r.End(syscall.SIGKILL) })
		r.run()
	}
	for _, r := range s.replicas {
		r.ready()
	}
	s.Cleanup(func() {
		if s.Failed() {
			for _, r := range s.replicas {
				s.Logf("--- the log of %s\n%s", r.Name, r.Tail())
			}
		}
	})
}

// run starts the process, and does not wait.
func (r *replica) run() {
	r.stage.Helper()
	if r.network != nil {
		must(r.stage, r.network.start(r.Process))
		return
	}
	must(r.stage, r.Start(nil))
}

// ready waits until the replica says so, and for its first heartbeat.
func (r *replica) ready() {
	r.stage.Helper()
	must(r.stage, r.Until(context.Background(), "get ready", process.Healthy(http.DefaultClient, "http://"+r.address+":8080/readyz")))
}

func (r *replica) kill() { r.End(syscall.SIGKILL) }

func (r *replica) call(action whapi.ChallengeAction, c challenge) error {
	return call(r.stage.client, "https://"+r.address+":8443", r.stage.zone.Origin(), action, c.domain, c.key)
}

// challenge is one that is under way.
type challenge struct {
	domain, key string
	target      string
	object      string // name of the Challenge; empty for none
}

// newChallenge returns one for a domain of its own.
func (s *stage) newChallenge() challenge {
	s.Helper()
	n := s.names.Add(1)
	c := challenge{domain: fmt.Sprintf("d%d.example.org", n), key: fmt.Sprintf("key-%d-of-%s", n, s.zone.Origin())}
	target, err := s.zone.Target("cert-manager", c.domain)
	must(s, err)
	c.target = target.Name
	return c
}

// present presents a challenge, and makes its Challenge as cert-manager has it then.
func (s *stage) present(r *replica) challenge {
	s.Helper()
	c := s.newChallenge()
	must(s, r.call(whapi.ChallengeActionPresent, c))
	c.object = strings.ReplaceAll(c.domain, ".", "-") + "-" + strings.ReplaceAll(s.zone.Origin(), ".", "-")
	must(s, createChallenge(context.Background(), s.zone.Origin(), c.object, c.domain, c.key))
	return c
}

// cleanUp ends a challenge's order: cert-manager notes that first, and then cleans
// up, until that succeeds.
func (s *stage) cleanUp(r *replica, c challenge) {
	s.Helper()
	if c.object != "" {
		must(s, endChallenge(context.Background(), c.object))
	}
	s.insist(r, whapi.ChallengeActionCleanUp, c)
}

// insist repeats a call until it succeeds, as cert-manager does with longer pauses.
func (s *stage) insist(r *replica, action whapi.ChallengeAction, c challenge) {
	s.Helper()
	eventually(s.T, string(action)+" succeeds", func() error { return r.call(action, c) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, ok func() error) {
	t.Helper()
	poll.Until(t, time.Minute, what, ok)
}
