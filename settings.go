package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// settings is what both serve and dns are told.
type settings struct {
	zoneName      string
	nameservers   []string
	listen        []string
	advertise     string
	identity      string
	httpListen    string
	redis         store.RedisOptions
	shutdownDelay time.Duration
	logFormat     string
	logLevel      string

	// set by validate
	zone  *zone.Zone
	ns    []zone.Nameserver
	level slog.Level
	flags *pflag.FlagSet
}

func (s *settings) addFlags(fs *pflag.FlagSet) {
	s.flags = fs
	fs.SortFlags = false
	fs.StringVar(&s.zoneName, "zone", "", "zone to serve, for example acme.example.com (required)")
	fs.StringArrayVar(&s.nameservers, "nameserver", nil, "nameserver that the zone is delegated to, as name or name=address,address; repeat for more (required)")
	fs.StringArrayVar(&s.listen, "listen", []string{":53"}, "address to serve DNS on, UDP and TCP; repeat for more")
	fs.StringVar(&s.advertise, "advertise-address", "", "address:port at which the other replicas reach this DNS server (default: the first --listen address, or else this machine's)")
	fs.StringVar(&s.identity, "identity", "", "what this replica answers to NSID queries (default: the host's name)")
	fs.StringVar(&s.httpListen, "http-listen", ":8080", "address of the plain HTTP port for /healthz, /readyz and /metrics; empty for none")
	fs.StringVar(&s.redis.URL, "redis-url", "", "Redis: redis://host:6379/0, rediss:// for TLS, with ?master_name= for Sentinel or ?addr= for a Cluster; empty: keep records in this process, for one replica")
	fs.StringVar(&s.redis.Username, "redis-username", "", "Redis user")
	fs.StringVar(&s.redis.PasswordFile, "redis-password-file", "", "file with the Redis password; or the password itself in "+envName("redis-password"))
	fs.StringVar(&s.redis.CAFile, "redis-ca-file", "", "PEM file with the CA of the Redis server's certificate")
	fs.DurationVar(&s.shutdownDelay, "shutdown-delay", 5*time.Second, "how long to go on serving after SIGTERM, not ready, until nobody sends queries here any more")
	fs.StringVar(&s.logFormat, "log-format", "text", "text or json")
	fs.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
}

// validate fills in what the environment says and returns every mistake.
func (s *settings) validate() []string {
	urlOnCommandLine := s.flags.Changed("redis-url")
	mistakes := applyEnvironment(s.flags)
	add := func(flag string, err error) {
		if err != nil {
			mistakes = append(mistakes, fmt.Sprintf("--%s: %v", flag, err))
		}
	}
	var err error
	if s.zoneName == "" {
		add("zone", fmt.Errorf("is needed: the zone to serve, for example acme.example.com"))
	} else if s.zone, err = zone.New(s.zoneName); err != nil {
		add("zone", err)
	} else {
		s.ns, err = s.zone.Nameservers(s.nameservers)
		add("nameserver", err)
	}
	for _, address := range s.listen {
		add("listen", checkAddress(address))
	}
	if len(s.listen) == 0 {
		add("listen", fmt.Errorf("an address is needed"))
	}
	if s.httpListen != "" {
		add("http-listen", checkAddress(s.httpListen))
	}
	if s.advertise != "" {
		if _, err := netip.ParseAddrPort(s.advertise); err != nil {
			add("advertise-address", fmt.Errorf("%q: write address:port", s.advertise))
		}
	}
	if len(s.identity) > 255 {
		add("identity", errors.New("is longer than 255 characters"))
	}
	if s.shutdownDelay < 0 {
		add("shutdown-delay", fmt.Errorf("cannot be negative"))
	}
	if s.logFormat != "text" && s.logFormat != "json" {
		add("log-format", fmt.Errorf("%q is neither text nor json", s.logFormat))
	}
	s.level, err = parseLevel(s.logLevel)
	add("log-level", err)
	add("redis-url", s.validateRedis(urlOnCommandLine))
	return mistakes
}

func (s *settings) validateRedis(urlOnCommandLine bool) error {
	s.redis.Password = os.Getenv(envName("redis-password"))
	s.redis.SentinelPassword = os.Getenv(envName("redis-sentinel-password"))
	if s.redis.URL == "" {
		return nil
	}
	if u, err := url.Parse(s.redis.URL); err == nil && urlOnCommandLine {
		if _, has := u.User.Password(); has || u.Query().Has("password") {
			return fmt.Errorf("has a password in it, which everybody on this machine can see; use --redis-password-file or %s, or put the whole URL into %s",
				envName("redis-password"), envName("redis-url"))
		}
	}
	if s.redis.Password != "" && s.redis.PasswordFile != "" {
		return fmt.Errorf("the password is given twice, by --redis-password-file and by %s", envName("redis-password"))
	}
	return s.redis.Validate()
}

// redisElsewhere reports whether Redis is on another machine, and so, most
// likely, other replicas are too.
func (s *settings) redisElsewhere() bool {
	u, err := url.Parse(s.redis.URL)
	if err != nil || s.redis.URL == "" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !addr.IsLoopback())
}

// checkAddress checks host:port, where the host may be empty.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q: write address:port, [address]:port, or :port for all addresses", address)
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n < 0 || port == "" {
		return fmt.Errorf("%q: %q is not a port", address, port)
	}
	if host == "" {
		return nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return fmt.Errorf("%q: %q is not an address of this machine; write an IP address, or :port for all", address, host)
	}
	return nil
}
