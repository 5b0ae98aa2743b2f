package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisOptions says how to reach Redis.
type RedisOptions struct {
	// URL is redis:// or rediss:// (TLS), with the parameters of go-redis, but for
	// refusedParameters. With master_name it names a Sentinel, with addr a node of a
	// Cluster; both may repeat addr for further ones. tls_server_name is the name in
	// the servers' certificates, where it is not the host's.
	URL string

	Username         string // instead of the URL's
	Password         string // instead of the URL's
	PasswordFile     string // read at every connect, so that it can be changed
	SentinelPassword string // of the Sentinels, where it differs from the data nodes'
	CAFile           string // PEM; what the server's certificate must come from
}

const (
	dialTimeout  = time.Second
	replyTimeout = time.Second
	retries      = 1
	callTimeout  = 3 * time.Second // of a whole call, retries included
)

// client returns a client of the kind that the URL asks for: a single server,
// Sentinel, or Cluster. It connects to nothing yet; connected is called for every
// new connection, before it is used.
func (o RedisOptions) client(connected func()) (redis.UniversalClient, error) {
	onConnect := func(context.Context, *redis.Conn) error { connected(); return nil }
	u, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := o.tlsConfig(u)
	if err != nil {
		return nil, err
	}
	dialer := dialer(tlsConfig, u.certificateName)
	switch {
	case u.query.Has("master_name"):
		opts, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, u.error(err)
		}
		opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = dialTimeout, replyTimeout, replyTimeout, replyTimeout
		opts.ReadBufferSize, opts.WriteBufferSize, opts.PipelineReadBufferSize, opts.PipelineWriteBufferSize = bufferSize, bufferSize, pipelineSize, pipelineSize
		opts.DialerRetries, opts.MaxRetries, opts.ContextTimeoutEnabled, opts.DisableIdentity = 1, retries, true, true
		opts.CredentialsProviderContext = o.credentials(opts.Username, opts.Password)
		if o.SentinelPassword != "" {
			opts.SentinelPassword = o.SentinelPassword
		}
		opts.TLSConfig, opts.Dialer, opts.OnConnect = tlsConfig, dialer, onConnect
		return redis.NewFailoverClient(opts), nil
	case u.query.Has("addr"):
		opts, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, u.error(err)
		}
		opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = dialTimeout, replyTimeout, replyTimeout, replyTimeout
		opts.ReadBufferSize, opts.WriteBufferSize, opts.PipelineReadBufferSize, opts.PipelineWriteBufferSize = bufferSize, bufferSize, pipelineSize, pipelineSize
		opts.DialerRetries, opts.MaxRetries, opts.ContextTimeoutEnabled, opts.DisableIdentity = 1, retries, true, true
		opts.MaintNotificationsConfig = noMaintNotifications()
		opts.CredentialsProviderContext = o.credentials(opts.Username, opts.Password)
		opts.TLSConfig, opts.Dialer, opts.OnConnect = tlsConfig, dialer, onConnect
		return redis.NewClusterClient(opts), nil
	default:
		opts, err := redis.ParseURL(u.String())
		if err != nil {
			return nil, u.error(err)
		}
		opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = dialTimeout, replyTimeout, replyTimeout, replyTimeout
		opts.ReadBufferSize, opts.WriteBufferSize, opts.PipelineReadBufferSize, opts.PipelineWriteBufferSize = bufferSize, bufferSize, pipelineSize, pipelineSize
		opts.DialerRetries, opts.MaxRetries, opts.ContextTimeoutEnabled, opts.DisableIdentity = 1, retries, true, true
		opts.MaintNotificationsConfig = noMaintNotifications()
		opts.CredentialsProviderContext = o.credentials(opts.Username, opts.Password)
		opts.TLSConfig, opts.Dialer, opts.OnConnect = tlsConfig, dialer, onConnect
		return redis.NewClient(opts), nil
	}
}

// dialer returns what makes the connections to Redis. When one is given up, what it
// has not delivered must be dropped with it: a record that the kernel delivers a
// minute later, when the network is back, would arrive after its removal.
func dialer(config *tls.Config, name func(address string) string) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialTimeout}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if c, ok := conn.(*net.TCPConn); ok {
			_ = c.SetLinger(0)
		}
		if config == nil {
			return conn, nil
		}
		config := config.Clone()
		config.ServerName = name(address)
		secure := tls.Client(conn, config)
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
}

// bufferSize is that of a connection's two buffers, in octets. What is read and written
// is small, and go-redis has a hundred connections after a burst.
const bufferSize = 8 << 10

// pipelineSize is the same of the ten connections that go-redis has for pipelines, which
// read all names; it would take 128 KiB.
const pipelineSize = 32 << 10

// noMaintNotifications keeps go-redis from probing with a command that Valkey
// and older servers refuse.
func noMaintNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// credentials returns what go-redis asks at every connect.
func (o RedisOptions) credentials(username, password string) func(context.Context) (string, string, error) {
	if o.Username != "" {
		username = o.Username
	}
	if o.Password != "" {
		password = o.Password
	}
	return func(context.Context) (string, string, error) {
		if o.PasswordFile == "" {
			return username, password, nil
		}
		b, err := os.ReadFile(o.PasswordFile)
		if err != nil {
			return "", "", fmt.Errorf("%w: %w", errPasswordFile, err)
		}
		return username, strings.TrimRight(string(b), "\r\n"), nil
	}
}

// tlsConfig returns nil where the URL is without TLS.
func (o RedisOptions) tlsConfig(u redisURL) (*tls.Config, error) {
	if u.Scheme != "rediss" {
		if o.CAFile != "" {
			return nil, errors.New("redis URL: a CA file is given, but the URL begins with redis://, which is without TLS; write rediss://")
		}
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12} // the dialer sets ServerName
	if o.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("redis CA file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("redis CA file: %s has no PEM certificate in it", o.CAFile)
	}
	return config, nil
}

// Validate reports what is wrong with the options, without connecting.
func (o RedisOptions) Validate() error {
	client, err := o.client(func() {})
	if err != nil {
		return err
	}
	return client.Close()
}
