package server

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

// The environment variables of the secrets, which have no flags.
const (
	passwordVariable         = "SIGNPOST_REDIS_PASSWORD"          //nolint:gosec // a name
	sentinelPasswordVariable = "SIGNPOST_REDIS_SENTINEL_PASSWORD" //nolint:gosec // a name
)

// Options is what every replica is told. Validate fills in Zone, Nameservers and
// what is not exported.
type Options struct {
	Zone        *zone.Zone
	Nameservers []zone.Nameserver // the secondaries are among them
	Secondaries []zone.Secondary

	zoneName      string
	nameservers   []string
	listen        []string
	advertise     string
	identity      string
	httpListen    string
	redis         store.RedisOptions
	transfers     transferOptions
	shutdownDelay time.Duration
	logFormat     string
	logLevel      string
	level         slog.Level
}

// AddFlags adds a flag for each option.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.SortFlags = false
	fs.StringVar(&o.zoneName, "zone", "", "zone to serve, for example acme.example.com (required)")
	fs.StringArrayVar(&o.nameservers, "nameserver", nil, "nameserver that the zone is delegated to, as name or name=address,address; repeat for more (required where there is no --secondary)")
	fs.StringArrayVar(&o.listen, "listen", []string{":53"}, "address to serve DNS on, UDP and TCP; repeat for more")
	o.transfers.addFlags(fs)
	fs.StringVar(&o.advertise, "advertise-address", "", "address:port at which the other replicas reach this DNS server (default: the first --listen address, or else this machine's)")
	fs.StringVar(&o.identity, "identity", "", "what this replica answers to NSID queries (default: the host's name)")
	fs.StringVar(&o.httpListen, "http-listen", ":8080", "address of the plain HTTP port for /healthz, /readyz and /metrics; empty for none")
	fs.StringVar(&o.redis.URL, "redis-url", "", "Redis: redis://host:6379/0, rediss:// for TLS, with ?master_name= for Sentinel or ?addr= for a Cluster; empty: keep the values in this process, for one replica")
	fs.StringVar(&o.redis.Username, "redis-username", "", "Redis user")
	fs.StringVar(&o.redis.PasswordFile, "redis-password-file", "", "file with the Redis password; or the password itself in "+passwordVariable)
	fs.StringVar(&o.redis.CAFile, "redis-ca-file", "", "PEM file with the CA of the Redis server's certificate")
	fs.DurationVar(&o.shutdownDelay, "shutdown-delay", 5*time.Second, "how long to go on serving after SIGTERM, not ready, until nobody sends queries here any more")
	fs.StringVar(&o.logFormat, "log-format", "text", "text or json")
	fs.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
}

// Validate returns every mistake. redisURLIsPublic says that the Redis URL comes
// from the command line, which everybody on the machine can read.
func (o *Options) Validate(redisURLIsPublic bool) (mistakes []string) {
	add := func(flag string, err error) {
		if err != nil {
			mistakes = append(mistakes, fmt.Sprintf("--%s: %v", flag, err))
		}
	}
	var err error
	if o.zoneName == "" {
		add("zone", fmt.Errorf("is needed: the zone to serve, for example acme.example.com"))
	} else if o.Zone, err = zone.New(o.zoneName); err != nil {
		add("zone", err)
	} else if o.Secondaries, err = o.Zone.Secondaries(o.transfers.secondaries); err != nil {
		add("secondary", err)
	} else {
		o.Nameservers, err = o.Zone.WithSecondaries(o.nameservers, o.Secondaries)
		add("nameserver", err)
	}
	mistakes = append(mistakes, o.transfers.validate(o.Secondaries)...)
	for _, address := range o.listen {
		add("listen", CheckAddress(address))
	}
	if len(o.listen) == 0 {
		add("listen", fmt.Errorf("an address is needed"))
	}
	if o.httpListen != "" {
		add("http-listen", CheckAddress(o.httpListen))
	}
	if o.advertise != "" {
		if _, err := netip.ParseAddrPort(o.advertise); err != nil {
			add("advertise-address", fmt.Errorf("%q: write address:port", o.advertise))
		}
	}
	if len(o.identity) > 255 {
		add("identity", errors.New("is longer than 255 characters"))
	}
	if o.shutdownDelay < 0 {
		add("shutdown-delay", fmt.Errorf("cannot be negative"))
	}
	if o.logFormat != "text" && o.logFormat != "json" {
		add("log-format", fmt.Errorf("%q is neither text nor json", o.logFormat))
	}
	o.level, err = parseLevel(o.logLevel)
	add("log-level", err)
	add("redis-url", o.validateRedis(redisURLIsPublic))
	return mistakes
}

func (o *Options) validateRedis(urlIsPublic bool) error {
	o.redis.Password = os.Getenv(passwordVariable)
	o.redis.SentinelPassword = os.Getenv(sentinelPasswordVariable)
	if o.redis.URL == "" {
		return nil
	}
	if u, err := url.Parse(o.redis.URL); err == nil && urlIsPublic {
		if _, has := u.User.Password(); has || u.Query().Has("password") {
			return fmt.Errorf("has a password in it, which everybody on this machine can see; use --redis-password-file or %s, or put the whole URL into %s",
				passwordVariable, "SIGNPOST_REDIS_URL")
		}
	}
	if o.redis.Password != "" && o.redis.PasswordFile != "" {
		return fmt.Errorf("the password is given twice, by --redis-password-file and by %s", passwordVariable)
	}
	return o.redis.Validate()
}

// redisElsewhere reports whether Redis is on another machine, and so, most
// likely, other replicas are too.
func (o *Options) redisElsewhere() bool {
	u, err := url.Parse(o.redis.URL)
	if err != nil || o.redis.URL == "" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !addr.IsLoopback())
}

// CheckAddress returns what is wrong with host:port, where the host may be empty.
func CheckAddress(address string) error {
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
