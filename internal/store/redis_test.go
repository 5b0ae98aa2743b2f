package store_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// The layout is a contract: other tools and older and newer replicas share it.
func TestRedisLayout(t *testing.T) {
	server := redistest.Start(t)
	st := opener(t, store.RedisOptions{URL: server.URL()})()
	client, id := server.Client(), uuid.MustParse("01917426-a1cd-547e-bc8e-ca4d7b697e62")
	pubsub := client.Subscribe(t.Context(), "signpost:{acme.example.com}")
	defer pubsub.Close()
	_, err := pubsub.Receive(t.Context())
	must(t, err)

	before := time.Now()
	must(t, st.Add(t.Context(), id, "v"))
	const key = "signpost:{acme.example.com}:01917426-a1cd-547e-bc8e-ca4d7b697e62"
	score, err := client.ZScore(t.Context(), key, "v").Result()
	must(t, err)
	expiry := time.UnixMilli(int64(score))
	if d := expiry.Sub(before); d < store.Lifetime-time.Second || d > store.Lifetime+10*time.Second {
		t.Errorf("the value expires after %v, want %v", d, store.Lifetime)
	}
	if left, err := client.PTTL(t.Context(), key).Result(); err != nil || time.Until(expiry.Add(-left)).Abs() > 5*time.Second {
		t.Errorf("the key expires in %v, %v; its last value at %v", left, err, expiry)
	}
	if m := <-pubsub.Channel(); m.Payload != id.String() {
		t.Errorf("published %q, want %q", m.Payload, id)
	}
	must(t, st.Remove(t.Context(), id, "v"))
	if m := <-pubsub.Channel(); m.Payload != id.String() {
		t.Errorf("published %q, want %q", m.Payload, id)
	}
	must(t, st.Announce(t.Context(), "192.0.2.1:53"))
	got, err := client.Keys(t.Context(), "*").Result()
	must(t, err)
	slices.Sort(got)
	if !slices.Equal(got, []string{"signpost:{acme.example.com}:era", "signpost:{acme.example.com}:instances", "signpost:{acme.example.com}:replicas"}) {
		t.Errorf("keys %q; a removed value must leave nothing behind", got)
	}
}

func TestRedisExpiredAndForeignKeys(t *testing.T) {
	server := redistest.Start(t)
	expired, live, foreign := uuid.New(), uuid.New(), uuid.New()
	past := time.Now().Add(-time.Minute).UnixMilli()
	future := time.Now().Add(time.Minute).UnixMilli()
	const prefix = "signpost:{acme.example.com}:"
	server.Do("ZADD", prefix+expired.String(), past, "old")
	server.Do("ZADD", prefix+live.String(), past, "old", future, "new")
	server.Do("SET", prefix+foreign.String(), "a string")
	server.Do("ZADD", prefix+"not-a-uuid", future, "x")
	server.Do("ZADD", "signpost:{other.example.com}:"+uuid.NewString(), future, "another zone's")
	server.Do("ZADD", prefix+"replicas", past, "192.0.2.9:53", future, "192.0.2.1:53")

	open := opener(t, store.RedisOptions{URL: server.URL()})
	c := follow(t, open())
	for id, want := range map[uuid.UUID][]string{expired: nil, live: {"new"}, foreign: nil} {
		if !holds(c, id, want...)() {
			got, _, _ := c.Lookup(id)
			t.Errorf("%v: %q, want %q", id, got, want)
		}
	}
	if c.Len() != 1 {
		t.Errorf("Len = %d, want 1", c.Len())
	}
	if got, err := open().Replicas(t.Context()); err != nil || len(got) != 1 || got[0] != "192.0.2.1:53" {
		t.Errorf("Replicas = %q, %v", got, err)
	}
}

func TestRedisGoneAndBack(t *testing.T) {
	server := redistest.Start(t)
	open := opener(t, store.RedisOptions{URL: server.URL()})
	st, id, second := open(), uuid.New(), uuid.New()
	must(t, st.Add(t.Context(), id, "v"))
	c := follow(t, open())

	server.Kill()
	if err := st.Add(t.Context(), second, "v"); err == nil {
		t.Fatal("Add succeeded without Redis")
	}
	if !holds(c, id, "v")() {
		t.Fatal("the copy lost a record because Redis is gone")
	}
	server.Run() // empty
	eventually(t, "the copy follows the emptied Redis", holds(c, id))
	must(t, st.Add(t.Context(), second, "w"))
	eventually(t, "the copy hears of changes again", holds(c, second, "w"))

	server.Do("FLUSHALL")
	must(t, st.Add(t.Context(), id, "again"))
	eventually(t, "the copy goes on after FLUSHALL", holds(c, id, "again"))
}

func TestRedisNotThereAtStart(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	open := opener(t, store.RedisOptions{URL: server.URL()})
	c, s := &store.Copy{}, open()
	go s.Follow(t.Context(), c)
	time.Sleep(50 * time.Millisecond)
	if _, _, complete := c.Lookup(uuid.New()); complete {
		t.Fatal("the copy says it is complete, but nobody could read Redis")
	}
	server.Run()
	eventually(t, "the copy is complete once Redis is there", c.Synced)
}

// A stopped Redis answers nothing; callers must get an error long before cert-manager's 30 s.
func TestRedisPausedIsBounded(t *testing.T) {
	server := redistest.Start(t)
	st := opener(t, store.RedisOptions{URL: server.URL()})()
	must(t, st.Announce(t.Context(), "192.0.2.1:53"))
	server.Pause()
	defer server.Resume()
	start := time.Now()
	if err := st.Add(t.Context(), uuid.New(), "v"); err == nil {
		t.Error("Add succeeded against a stopped Redis")
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("Add took %v", d)
	}
}

func TestRedisMasterFailsOver(t *testing.T) {
	master := redistest.Start(t)
	host, port, _ := strings.Cut(master.Addr, ":")
	replica := redistest.Start(t, "--replicaof", host, port)
	eventually(t, "replica in sync", func() bool {
		return strings.Contains(replica.Do("INFO", "replication").(string), "master_link_status:up")
	})
	sentinel := redistest.StartSentinel(t, master)
	eventually(t, "sentinel knows the replica", func() bool {
		return strings.Contains(sentinel.Do("INFO", "sentinel").(string), "slaves=1")
	})
	open := opener(t, store.RedisOptions{URL: sentinel.URL() + "?master_name=signpost"})
	st, id := open(), uuid.New()
	c := follow(t, open())
	must(t, st.Add(t.Context(), id, "v"))
	eventually(t, "visible before", holds(c, id, "v"))
	master.Do("WAIT", 1, 5000) // Redis replicates in its own time; what is lost on the way comes back from the Challenges
	master.Kill()
	eventually(t, "writable again after the fail-over", func() bool { return st.Add(t.Context(), id, "w") == nil })
	defer func() {
		if t.Failed() {
			got, _, complete := c.Lookup(id)
			values, err := st.Values(t.Context(), id)
			t.Logf("the copy has %q (complete: %v), Redis has %q, %v", got, complete, values, err)
		}
	}()
	eventually(t, "visible after", holds(c, id, "v", "w"))
}

func TestRedisOptions(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(noPEM, []byte("x"), 0o600))
	for _, tc := range []struct {
		options store.RedisOptions
		want    string
	}{
		{store.RedisOptions{URL: "http://host"}, "redis://host:6379/0"},
		{store.RedisOptions{URL: "host:6379"}, "redis://host:6379/0"},
		{store.RedisOptions{URL: "redis://:s3cret@host:port:x/"}, "cannot be parsed"},
		{store.RedisOptions{URL: "redis://host/zero"}, "database number"},
		{store.RedisOptions{URL: "redis://host/?no_such=1"}, "no_such"},
		{store.RedisOptions{URL: "redis://host/", CAFile: noPEM}, "write rediss://"},
		{store.RedisOptions{URL: "rediss://host/", CAFile: noPEM}, "no PEM certificate"},
		{store.RedisOptions{URL: "rediss://host/", CAFile: noPEM + "x"}, "no such file"},
	} {
		err := tc.options.Validate()
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, want an error with %q and without the password", tc.options.URL, err, tc.want)
		}
	}
}

func TestRedisWrongPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	for _, o := range []store.RedisOptions{
		{URL: "redis://:wr0ng@" + server.Addr},
		{URL: server.URL(), Password: "wr0ng"},
		{URL: server.URL(), PasswordFile: filepath.Join(t.TempDir(), "missing")},
	} {
		st, err := store.NewRedis(origin, o, slog.New(slog.DiscardHandler))
		must(t, err)
		defer st.Close()
		if err := st.Add(t.Context(), uuid.New(), "v"); err == nil || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("Add = %v", err)
		}
	}
}
