package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/test/world"
)

// load asks as resolvers do, from a new port each time, and never again for the
// same: what is not answered is lost.
type load struct {
	asked, lost atomic.Int64
	mu          sync.Mutex
	first       error
}

// run asks until ctx is done.
func (l *load) run(ctx context.Context, network string, pause time.Duration) {
	client := &dns.Client{Net: network, Timeout: 5 * time.Second}
	for ; ctx.Err() == nil; time.Sleep(pause) {
		l.asked.Add(1)
		m, _, err := client.Exchange(new(dns.Msg).SetQuestion(uuid.NewString()+"."+world.Zone+".", dns.TypeTXT), server)
		if err == nil && m.Rcode != dns.RcodeSuccess {
			err = errors.New(dns.RcodeToString[m.Rcode])
		}
		if err != nil {
			l.lost.Add(1)
			l.mu.Lock()
			if l.first == nil {
				l.first = fmt.Errorf("at %s over %s: %w", time.Now().Format(time.TimeOnly), network, err)
			}
			l.mu.Unlock()
		}
	}
}

// restartUnderLoad replaces every pod while resolvers ask; no query is lost.
func restartUnderLoad(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var l load
	var wg sync.WaitGroup
	for _, network := range []string{"udp", "udp", "tcp"} {
		wg.Go(func() { l.run(ctx, network, 5*time.Millisecond) })
	}
	kubectl(t, "rollout", "restart", "deployment/signpost", "-n", Namespace)
	kubectl(t, "rollout", "status", "deployment/signpost", "-n", Namespace, "--timeout=170s")
	// Until the last old pod is gone.
	eventually(t, "two pods", func() bool {
		return len(strings.Fields(kubectl(t, "get", "pods", "-n", Namespace, "-l", replicas, "-o", "name"))) == 2
	})
	stop()
	wg.Wait()
	t.Logf("%d queries", l.asked.Load())
	if l.lost.Load() > 0 || l.asked.Load() < 500 {
		t.Errorf("%d of %d queries were lost; the first: %v", l.lost.Load(), l.asked.Load(), l.first)
	}
}
