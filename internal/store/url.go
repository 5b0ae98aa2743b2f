package store

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// refusedParameters are the parameters of go-redis's URLs that Signpost does not
// honour, with the reason. All others are go-redis's to honour or refuse.
var refusedParameters = func() map[string]string {
	const (
		verify = "certificates are always verified; give the CA with --redis-ca-file, and with tls_server_name= the name in the certificate"
		times  = "timeouts and retries are Signpost's own, so that a call ends in time for cert-manager"
		master = "everything is read from the master, since a replica may be behind"
		other  = "Signpost sets this itself"
	)
	return map[string]string{
		"skip_verify":  verify,
		"dial_timeout": times, "read_timeout": times, "write_timeout": times, "pool_timeout": times, "context_timeout_enabled": times,
		"max_retries": times, "min_retry_backoff": times, "max_retry_backoff": times, "max_redirects": times,
		"dialer_retries": times, "dialer_retry_timeout": times, "failing_timeout_seconds": times,
		"read_only": master, "replica_only": master, "use_disconnected_replicas": master,
		"route_by_latency": master, "route_by_latency_tolerance": master, "route_randomly": master,
		"disableIdentity": other, "identitySuffix": other, "unstable_resp3": other,
	}
}()

var errURLPassword = errors.New("redis URL: cannot be parsed; write redis://host:6379/0. " +
	"If there is a password in it with one of / ? # %, write these as %2F %3F %23 %25 there, or better give the password with --redis-password-file or SIGNPOST_REDIS_PASSWORD")

// redisURL is RedisOptions.URL, understood.
type redisURL struct {
	*url.URL          // as go-redis takes it
	serverName string // tls_server_name, ours
	query      url.Values
}

// parseURL checks a URL, as far as go-redis does not. No error shows a part of it
// that could be a password.
func parseURL(text string) (redisURL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return redisURL{}, errURLPassword // err would repeat the password
	}
	switch u.Scheme {
	case "redis", "rediss":
	default:
		return redisURL{}, fmt.Errorf("redis URL: begins with %q; write redis://host:6379/0, or rediss:// for TLS", u.Scheme+":")
	}
	// A password that is cut short by its / ? or # leaves its rest, with the @ before
	// the host, in another part.
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" || strings.Contains(u.Path, "@") {
		return redisURL{}, errURLPassword
	}
	for name := range q {
		if strings.Contains(name, "@") {
			return redisURL{}, errURLPassword
		}
	}
	var refused, reasons []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if reason := refusedParameters[name]; reason != "" {
			refused, reasons = append(refused, name), append(reasons, reason)
		}
	}
	if len(refused) > 0 {
		return redisURL{}, fmt.Errorf("redis URL: takes no %s: %s", strings.Join(refused, ", "), strings.Join(slices.Compact(reasons), "; "))
	}
	parsed := redisURL{URL: u, query: q, serverName: q.Get("tls_server_name")}
	if parsed.serverName != "" && u.Scheme != "rediss" {
		return redisURL{}, errors.New("redis URL: has tls_server_name, but begins with redis://, which is without TLS; write rediss://")
	}
	rest := maps.Clone(q)
	rest.Del("tls_server_name")
	u.RawQuery = rest.Encode()
	return parsed, nil
}

// error words go-redis's complaint about the URL as ours.
func (u redisURL) error(err error) error {
	if strings.Contains(u.RawQuery, "%40") {
		return errURLPassword // what it does not know may be the end of a password, before an @
	}
	return fmt.Errorf("redis URL: %s", strings.TrimPrefix(err.Error(), "redis: "))
}

// certificateName returns the name that the certificate must have of a server that
// is dialed at address. A Cluster or Sentinel may announce IP addresses while its
// certificate has a name: then it is the URL's host.
func (u redisURL) certificateName(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if net.ParseIP(host) != nil {
		host = u.Hostname()
	}
	return cmp.Or(u.serverName, host)
}
