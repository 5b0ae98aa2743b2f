package hidden

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/test/world"
)

// outage is how long all of Signpost may be away: the secondaries go on answering.
const outage = time.Hour

// RFC 1035 section 3.3.13: with all of Signpost killed, and Redis stopped, the secondaries go
// on answering, and may do so for far longer than an hour by the SOA that they have (that
// they do it is seen in test/secondaries, with faster clocks). They ask often enough to
// find that it is back.
func TestRFC1035Section3_3_13Outage(t *testing.T) {
	id := uuid.New()
	t.Cleanup(func() { w.Redis.Signal(syscall.SIGCONT) })
	st, err := store.NewRedis(world.Zone, store.RedisOptions{URL: "redis://" + world.RedisAddress + "/0"}, slog.New(slog.DiscardHandler))
	must(t, err)
	defer st.Close()
	st.KeepVersions(&store.Journal{}) // as replicas do that have secondaries
	must(t, st.Add(t.Context(), id, "before the outage"))
	poll.Until(t, 30*time.Second, "everybody answers with the value", func() error { return served(t.Context(), id, "before the outage") })
	primaries(t)

	for _, r := range w.Replicas {
		must(t, r.Kill(t.Context()))
	}
	w.Redis.Signal(syscall.SIGSTOP)
	asked := 0
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); asked++ {
		must(t, served(t.Context(), id, "before the outage"))
	}
	t.Logf("asked %d times during the outage", asked)
	for _, s := range w.Secondaries {
		m, err := dns.Exchange(new(dns.Msg).SetQuestion(world.Zone+".", dns.TypeSOA), s.Address+":53")
		must(t, err)
		if len(m.Answer) != 1 || !m.Authoritative {
			t.Fatalf("%s: %v", s.Name, m)
		}
		soa, ok := m.Answer[0].(*dns.SOA)
		if !ok {
			t.Fatalf("%s: %v", s.Name, m)
		}
		expire, refresh, retry := time.Duration(soa.Expire)*time.Second, time.Duration(soa.Refresh)*time.Second, time.Duration(soa.Retry)*time.Second
		if expire < 24*outage || refresh+retry > outage/30 {
			t.Errorf("%s: expire %v, refresh %v, retry %v", s.Name, expire, refresh, retry)
		}
	}

	w.Redis.Signal(syscall.SIGCONT)
	for _, r := range w.Replicas {
		must(t, r.Run(t.Context()))
	}
	must(t, st.Add(t.Context(), id, "after the outage"))
	poll.Until(t, time.Minute, "everybody answers with the new value", func() error { return served(t.Context(), id, "after the outage") })
}

// served returns nil if each secondary answers with the value, and so does the resolver
// that the CA asks.
func served(ctx context.Context, id uuid.UUID, value string) error {
	for _, address := range []string{w.Secondaries[0].Address, w.Secondaries[1].Address, world.ResolverAddress} {
		m, err := dns.ExchangeContext(ctx, new(dns.Msg).SetQuestion(id.String()+"."+world.Zone+".", dns.TypeTXT), address+":53")
		if err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
		if !slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
			txt, ok := rr.(*dns.TXT)
			return ok && strings.Join(txt.Txt, "") == value
		}) {
			return fmt.Errorf("%s answers %s, %v", address, dns.RcodeToString[m.Rcode], m.Answer)
		}
	}
	return nil
}

// primaries fails unless the status says that secondaries transfer from each replica.
func primaries(t *testing.T) {
	t.Helper()
	poll.Until(t, 30*time.Second, "the status says that both replicas are primaries", func() error {
		resp, err := http.Get("http://" + world.ReplicaAddress(0) + ":8080/status.json")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var s status.Snapshot
		if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
			return err
		}
		if len(s.Replicas) != 2 || slices.ContainsFunc(s.Replicas, func(r status.Replica) bool { return !r.Primary || r.Others }) {
			return fmt.Errorf("%+v", s.Replicas)
		}
		return nil
	})
}
