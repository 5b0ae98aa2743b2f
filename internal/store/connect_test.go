package store_test

import (
	"errors"
	"log/slog"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// Every parameter of go-redis's URLs is honoured or refused by its name; a password
// that breaks the URL is not taken for something else, and not shown.
func TestRedisURL(t *testing.T) {
	const sentinel, cluster = "&master_name=m", "&addr=host:2"
	for _, tc := range []struct{ url, want string }{ // no want: accepted
		{"redis://host/1", ""},
		{"redis://host/?db=1&protocol=2&client_name=c&pool_size=3&pool_fifo=true&min_idle_conns=1&max_idle_conns=2&max_active_conns=9&conn_max_idle_time=1m&conn_max_lifetime=1h", ""},
		{"redis://host/?protocol=2&client_name=c&pool_size=3&min_idle_conns=1&conn_max_idle_time=1m" + sentinel, ""},
		{"redis://host/?username=u&password=p@ss" + sentinel, ""},
		{"redis://host/?protocol=2&client_name=c&pool_size=3&min_idle_conns=1&conn_max_idle_time=1m" + cluster, ""},
		{"rediss://host/?tls_server_name=other.example.com", ""},
		{"rediss://host/?tls_server_name=other.example.com" + sentinel, ""},
		{"rediss://host/?tls_server_name=other.example.com" + cluster, ""},
		{"redis://host/?tls_server_name=other.example.com", "rediss://"},
		{"rediss://host/?skip_verify=true", "skip_verify"},
		{"rediss://host/?skip_verify=true" + sentinel, "skip_verify"},
		{"rediss://host/?skip_verify=true" + cluster, "skip_verify"},
		{"redis://host/?read_timeout=1s", "read_timeout"},
		{"redis://host/?read_timeout=1s" + cluster, "read_timeout"},
		{"redis://host/?write_timeout=1s&dial_timeout=2s", "dial_timeout, write_timeout"},
		{"redis://host/?pool_timeout=1s" + sentinel, "pool_timeout"},
		{"redis://host/?max_retries=9", "max_retries"},
		{"redis://host/?min_retry_backoff=9s&max_retry_backoff=9s", "max_retry_backoff"},
		{"redis://host/?dialer_retries=9" + sentinel, "dialer_retries"},
		{"redis://host/?max_redirects=9" + cluster, "max_redirects"},
		{"redis://host/?read_only=true" + cluster, "read_only"},
		{"redis://host/?route_by_latency=true" + cluster, "route_by_latency"},
		{"redis://host/?route_randomly=true" + sentinel, "route_randomly"},
		{"redis://host/?replica_only=true" + sentinel, "replica_only"},
		{"redis://host/?use_disconnected_replicas=true" + sentinel, "use_disconnected_replicas"},
		{"redis://host/?context_timeout_enabled=false" + sentinel, "context_timeout_enabled"},
		{"redis://host/?db=1" + cluster, "db"},
		{"redis://host/?no_such=1", "no_such"},
		{"redis://host/?protocol=four", "protocol"},
		{"redis://:se/cret@host:6379/0", "password"},
		{"redis://:se#cret@host:6379/0", "password"},
		{"redis://:se?cret@host:6379/0", "password"},
		{"redis://:se%cret@host:6379/0", "password"},
		{"redis://user:12/cret@host:6379/0", "password"}, // would be the host "user", port 12
		{"redis://user:12?cret@host:6379/0", "password"},
		{"redis://user:12?cret=x@host:6379/0", "password"},
		{"redis://user:12#cret@host:6379/0", "password"},
		{"redis://user:12#cret", "password"},
	} {
		err := store.RedisOptions{URL: tc.url}.Validate()
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", tc.url, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v, want %q", tc.url, err, tc.want)
		case err != nil && strings.Contains(err.Error(), "cret"):
			t.Errorf("%s: the error shows the password: %v", tc.url, err)
		case tc.want == "password" && (!strings.Contains(err.Error(), "%2F") || !strings.Contains(err.Error(), "--redis-password-file")):
			t.Errorf("%s: %v, want what to do", tc.url, err)
		}
	}
}

// The certificate has a name, and the Cluster announces addresses.
func TestRedisCertificateNames(t *testing.T) {
	t.Parallel()
	local, localKey := certificate(t, "localhost")
	other, otherKey := certificate(t, "redis.example.com")
	for _, tc := range []struct {
		name, cert, key string
		url             string // after rediss:// and the host
		host            string
		cluster         bool
		fails           bool
	}{
		{name: "the URL's host", cert: local, key: localKey, host: "localhost"},
		{name: "not the URL's host", cert: local, key: localKey, host: "127.0.0.1", fails: true},
		{name: "another name", cert: other, key: otherKey, host: "127.0.0.1", url: "?tls_server_name=redis.example.com"},
		{name: "not the other name", cert: local, key: localKey, host: "localhost", url: "?tls_server_name=redis.example.com", fails: true},
		{name: "Cluster, the URL's host", cert: local, key: localKey, host: "localhost", cluster: true},
		{name: "Cluster, another name", cert: other, key: otherKey, host: "127.0.0.1", url: "&tls_server_name=redis.example.com", cluster: true},
		{name: "Cluster, not the URL's host", cert: other, key: otherKey, host: "localhost", cluster: true, fails: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			args := tlsArgs(tc.cert, tc.key)
			if tc.cluster {
				args = append(args, "--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-announce-ip", "127.0.0.1")
			}
			server := redistest.Start(t, args...)
			_, port, _ := net.SplitHostPort(server.Addr)
			url := "rediss://" + tc.host + ":" + port + tc.url
			if tc.cluster {
				out, err := exec.Command("redis-cli", slots("--tls", "--insecure", "-p", port, "CLUSTER", "ADDSLOTS")...).CombinedOutput()
				if err != nil || !strings.Contains(string(out), "OK") {
					t.Fatalf("%v: %s", err, out)
				}
				url = "rediss://" + tc.host + ":" + port + "?addr=" + tc.host + ":" + port + tc.url
			}
			st, err := store.NewRedis(origin, store.RedisOptions{URL: url, CAFile: tc.cert}, slog.New(slog.DiscardHandler))
			must(t, err)
			t.Cleanup(func() { st.Close() })
			if tc.fails {
				if err := st.Add(t.Context(), uuid.New(), "v"); !errors.Is(err, store.ErrDenied) || !strings.Contains(store.Explain(err), "tls_server_name") {
					t.Errorf("Add = %v", err)
				}
				return
			}
			eventually(t, "a value can be added", func() bool { err = st.Add(t.Context(), uuid.New(), "v"); return err == nil })
		})
	}
}

// slots are all slots of a Cluster, behind other arguments.
func slots(args ...string) []string {
	for slot := range 16384 {
		args = append(args, strconv.Itoa(slot))
	}
	return args
}
