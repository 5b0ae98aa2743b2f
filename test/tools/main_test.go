// Package tools looks at our zone with the tools that the field uses to find out
// whether a zone and its servers are in order.
package tools

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/test/world"
)

// challenge is a name with a value, empty one without, many one with more values
// than a UDP packet takes.
const (
	challenge = "01917426-a1cd-547e-bc8e-ca4d7b697e62." + world.Zone
	empty     = "9cc75bfc-78bd-50c2-8636-0932fd3aceed." + world.Zone
	many      = "5c8f3a52-5d2b-5b4e-8e44-3f3f0c1f8a11." + world.Zone

	value      = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"
	manyValues = 30
)

// theWorld is what the tests share.
var theWorld *world.World

func TestMain(m *testing.M) {
	world.Main("tools", m.Run, func(ctx context.Context, o world.Options) (stop func(), err error) {
		o.Replicas, o.Signed = 2, true
		if theWorld, err = world.StartDNS(ctx, o); err != nil {
			return nil, err
		}
		return theWorld.Stop, addRecords(ctx, theWorld)
	})
}

// addRecords adds the values, and a domain's CNAME to one of them, and waits until
// every replica has them.
func addRecords(ctx context.Context, w *world.World) error {
	store, err := store.NewRedis(world.Zone, store.RedisOptions{URL: "redis://" + world.RedisAddress + "/0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Add(ctx, uuid.MustParse(challenge[:36]), value); err != nil {
		return err
	}
	for i := range manyValues {
		if err := store.Add(ctx, uuid.MustParse(many[:36]), fmt.Sprintf("%02d%s", i, value)); err != nil {
			return err
		}
	}
	if err := w.Parent.SetCNAME(ctx, "example.com", "example.com", challenge); err != nil {
		return err
	}
	for i, r := range w.Replicas {
		if err := r.Until(ctx, "answer with what is in Redis", func(ctx context.Context) error {
			return answersAll(ctx, world.ReplicaAddress(i))
		}); err != nil {
			return err
		}
	}
	return nil
}

// tool runs a tool and returns what it printed. It fails if the tool does.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s(hack/setup test installs the tools)", name, args, err, out)
	}
	return string(out)
}

// answersAll returns nil if the server has all values.
func answersAll(ctx context.Context, address string) error {
	for name, want := range map[string]int{challenge: 1, many: manyValues} {
		m, _, err := (&dns.Client{Net: "tcp"}).ExchangeContext(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeTXT), address+":53")
		if err != nil {
			return err
		}
		if len(m.Answer) != want {
			return fmt.Errorf("%s: %d values of %d", name, len(m.Answer), want)
		}
	}
	return nil
}
