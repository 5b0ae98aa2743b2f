package store_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// An error that Redis answers is not one of reaching it: the log says what it is
// and what to do, and whether the configuration is wrong can be told.
func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		server   []string // its options
		options  store.RedisOptions
		before   func(s *redistest.Server)
		log      string // part of the line
		denied   bool
		explains bool
	}{
		{name: "no password", server: []string{"--requirepass", "x"}, log: "user or password", denied: true, explains: true},
		{name: "wrong password", server: []string{"--requirepass", "x"}, options: store.RedisOptions{Password: "y"}, log: "user or password", denied: true, explains: true},
		{name: "wrong user", options: store.RedisOptions{Username: "nobody", Password: "y"}, log: "user or password", denied: true, explains: true},
		{name: "no password file", options: store.RedisOptions{PasswordFile: "/no/such/file"}, log: "password file", denied: true, explains: true},
		{name: "no right", server: []string{"--user", "u", "on", ">pw", "~signpost:*", "&*", "+@all", "-zadd"}, options: store.RedisOptions{Username: "u", Password: "pw"}, log: "lacks a right", denied: true, explains: true},
		{name: "no right to the keys", server: []string{"--user", "u", "on", ">pw", "~other:*", "&*", "+@all"}, options: store.RedisOptions{Username: "u", Password: "pw"}, log: "lacks a right", denied: true, explains: true},
		{name: "read-only", before: func(s *redistest.Server) {
			s.Do("CONFIG", "SET", "replica-serve-stale-data", "yes")
			s.Do("REPLICAOF", "127.0.0.1", "1")
		}, log: "read-only", explains: true},
		{name: "full", before: func(s *redistest.Server) { s.Do("CONFIG", "SET", "maxmemory", 1) }, log: "memory", explains: true},
		{name: "too few replicas", before: func(s *redistest.Server) { s.Do("CONFIG", "SET", "min-replicas-to-write", 1) }, log: "min-replicas-to-write", explains: true},
		{name: "a command that the server does not have", server: []string{"--rename-command", "ZADD", "NOTHING"}, log: "6.0", explains: true},
		{name: "not there", before: func(s *redistest.Server) { s.Kill() }, log: "cannot be reached"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, tc.server...)
			if tc.before != nil {
				tc.before(server)
			}
			var log logged
			tc.options.URL = server.URL()
			st, err := store.NewRedis(origin, tc.options, slog.New(slog.NewTextHandler(&log, nil)))
			must(t, err)
			t.Cleanup(func() { st.Close() })
			for range 3 {
				err = st.Add(t.Context(), uuid.New(), "v")
			}
			if err == nil {
				t.Fatal("Add succeeds")
			}
			if errors.Is(err, store.ErrDenied) != tc.denied {
				t.Errorf("%v: denied: %v, want %v", err, !tc.denied, tc.denied)
			}
			if (store.Explain(err) != "") != tc.explains {
				t.Errorf("%v is explained as %q", err, store.Explain(err))
			}
			text := log.text()
			if n := strings.Count(text, "level=ERROR"); n != 1 || !strings.Contains(text, tc.log) {
				t.Errorf("want one line with %q:\n%s", tc.log, text)
			}
			if tc.explains && strings.Contains(text, "cannot be reached") {
				t.Errorf("Redis has answered, and the log says that it cannot be reached:\n%s", text)
			}
		})
	}
}

// A replica whose password or rights are wrong from the start can be told from one
// that has been cut off: a rollout must not go on with it.
func TestRedisDenied(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--requirepass", "right")
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte("wr0ng"), 0o600))
	st, err := store.NewRedis(origin, store.RedisOptions{URL: server.URL(), PasswordFile: file}, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { st.Close() })
	go st.Follow(t.Context(), &store.Copy{})
	eventually(t, "reading is denied", func() bool { read, _ := st.Denied(); return errors.Is(read, store.ErrDenied) })
	if err := st.Announce(t.Context(), "192.0.2.1:53"); err == nil {
		t.Error("Announce succeeds")
	}
	if _, write := st.Denied(); !errors.Is(write, store.ErrDenied) || strings.Contains(write.Error(), "wr0ng") {
		t.Errorf("writing: %v", write)
	}
	must(t, os.WriteFile(file, []byte("right"), 0o600))
	must(t, st.Announce(t.Context(), "192.0.2.1:53"))
	nothing := func() bool { read, write := st.Denied(); return read == nil && write == nil }
	eventually(t, "nothing is denied", nothing)
	// What is denied later is an outage like others: the replica has been serving.
	must(t, os.WriteFile(file, []byte("wr0ng"), 0o600))
	server.Kill()
	server.Run()
	eventually(t, "announcing fails", func() bool { return errors.Is(st.Announce(t.Context(), "192.0.2.1:53"), store.ErrDenied) })
	if !nothing() {
		t.Error("a replica that has worked counts as denied")
	}
}

// docs/troubleshooting.md names every cause that the log gives.
func TestEveryCauseIsExplained(t *testing.T) {
	b, err := os.ReadFile("../../docs/troubleshooting.md")
	must(t, err)
	for _, cause := range store.Causes() {
		if !strings.Contains(string(b), "`"+cause+"`") {
			t.Errorf("docs/troubleshooting.md does not have the cause %q", cause)
		}
	}
}
