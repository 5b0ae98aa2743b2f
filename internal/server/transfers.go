package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/signpost-acme/signpost/dnsserve"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// transferOptions say which servers transfer the zone from this replica, and how they
// show who they are. Without secondaries nothing is transferred.
type transferOptions struct {
	secondaries     []string
	keyFiles        []string
	tlsCert, tlsKey string
	tlsListen       []string
}

func (o *transferOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringArrayVar(&o.secondaries, "secondary", nil, "server that transfers the zone and answers for it, as name=address,address,key=NAME,notify=address; repeat for more (default: none, and transfers are refused)")
	fs.StringArrayVar(&o.keyFiles, "transfer-key-file", nil, "file with the TSIG keys of the secondaries, in the syntax of BIND; repeat for more")
	fs.StringVar(&o.tlsCert, "transfer-tls-cert", "", "PEM file with the certificate for zone transfers over TLS")
	fs.StringVar(&o.tlsKey, "transfer-tls-key", "", "PEM file with its private key")
	fs.StringArrayVar(&o.tlsListen, "transfer-tls-listen", []string{":853"}, "address to serve zone transfers over TLS on, where there is a certificate; repeat for more")
}

// validate returns what is wrong with the options, where the secondaries are valid.
func (o *transferOptions) validate(secondaries []zone.Secondary) (mistakes []string) {
	add := func(flag string, err error) {
		if err != nil {
			mistakes = append(mistakes, fmt.Sprintf("--%s: %v", flag, err))
		}
	}
	var known []string
	whole := true
	for _, file := range o.keyFiles {
		keys, err := readKeys(file)
		add("transfer-key-file", err)
		whole = whole && err == nil
		for _, k := range keys {
			known = append(known, k.Name)
		}
	}
	for _, s := range secondaries {
		for _, key := range s.Keys {
			if whole && !slices.Contains(known, key) {
				add("secondary", fmt.Errorf("%s: key %q is in no --transfer-key-file", s.Name, key))
			}
		}
	}
	if len(o.secondaries) == 0 && len(o.keyFiles) > 0 {
		add("transfer-key-file", errors.New("is given, but no --secondary that could use a key of it"))
	}
	if o.tlsCert == "" && o.tlsKey == "" {
		return mistakes
	}
	switch {
	case o.tlsCert == "":
		add("transfer-tls-cert", errors.New("is needed with --transfer-tls-key"))
	case o.tlsKey == "":
		add("transfer-tls-key", errors.New("is needed with --transfer-tls-cert"))
	default:
		_, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
		add("transfer-tls-cert", err)
	}
	if len(o.secondaries) == 0 {
		add("transfer-tls-cert", errors.New("is given, but no --secondary"))
	}
	for _, address := range o.tlsListen {
		add("transfer-tls-listen", CheckAddress(address))
	}
	return mistakes
}

// worldWritable is the right of everybody to write to a file.
const worldWritable = 0o002

// readKeys reads one file. No error has a part of a secret in it.
func readKeys(file string) ([]dnsserve.Key, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&worldWritable != 0 { // readable by all is how Secrets are mounted
		return nil, fmt.Errorf("%s: everybody on this machine may write to it (mode %04o): chmod 600 it", file, mode)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	keys, err := dnsserve.ParseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return keys, nil
}

// reloadInterval is how old what was read from a file may be: Kubernetes changes the
// files of a Secret in place, and a new key or certificate needs no restart.
const reloadInterval = 2 * time.Second

// reloaded is what a few files hold, read again when they are asked for.
type reloaded[T any] struct {
	read func() (T, error)
	fail string // what the log says when they cannot be read
	well string // and when they can be again
	log  *slog.Logger

	mu     sync.Mutex
	value  T
	at     time.Time
	failed bool
}

// get returns what the files hold; what they held last while they cannot be read.
func (r *reloaded[T]) get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < reloadInterval {
		return r.value
	}
	r.at = time.Now()
	value, err := r.read()
	switch {
	case err == nil && r.failed:
		r.log.Info(r.well)
		r.value, r.failed = value, false
	case err == nil:
		r.value = value
	case !r.failed:
		r.failed = true
		r.log.Warn(r.fail, "err", err)
	}
	return r.value
}

// keyFileReader returns what hands out the keys of all files.
func (o *transferOptions) keyFileReader(log *slog.Logger) *reloaded[[]dnsserve.Key] {
	return &reloaded[[]dnsserve.Key]{log: log, fail: "the keys of zone transfers cannot be read; those read before stay", well: "the keys of zone transfers can be read again", read: func() (keys []dnsserve.Key, err error) {
		for _, file := range o.keyFiles {
			more, err := readKeys(file)
			if err != nil {
				return nil, err
			}
			keys = append(keys, more...)
		}
		return keys, nil
	}}
}

// tls returns the settings of transfers over TLS (RFC 9103 section 8.1: 1.3 alone),
// nil if there is no certificate.
func (o *transferOptions) tls(log *slog.Logger) *tls.Config {
	if o.tlsCert == "" {
		return nil
	}
	files := &reloaded[*tls.Certificate]{log: log, fail: "the certificate of zone transfers cannot be read; the one read before stays", well: "the certificate of zone transfers can be read again", read: func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
		return &pair, err
	}}
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		NextProtos:     []string{"dot"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return files.get(), nil },
	}
}

// config returns what the DNS server is told of the secondaries.
func (o *transferOptions) config(secondaries []zone.Secondary, versions dnsserve.Versions, log *slog.Logger) *dnsserve.Transfers {
	return &dnsserve.Transfers{
		Versions: versions, Secondaries: secondaries, Keys: o.keyFileReader(log).get, TLS: o.tls(log), ListenTLS: o.tlsListen,
	}
}

// log says which secondaries there are, and warns of those that anybody may pretend to be.
func (o *transferOptions) log(secondaries []zone.Secondary, log *slog.Logger) {
	for _, s := range secondaries {
		log.Info("the zone is transferred to a secondary", "secondary", s.Name, "addresses", s.Servers, "notify", s.Notify, "keys", s.Keys)
		if len(s.Keys) > 0 {
			continue
		}
		public := func(at netip.AddrPort) bool { return zone.Unreachable(at.Addr()) == "" }
		switch {
		case len(o.keyFiles) > 0:
			log.Warn("a secondary has no key, although there are keys; whoever has its address may transfer the zone, and it cannot tell who sends NOTIFY", "secondary", s.Name)
		case slices.ContainsFunc(s.Peers(), public):
			log.Warn("a secondary at a public address has no key; whoever has its address may transfer the zone, and it cannot tell who sends NOTIFY", "secondary", s.Name)
		}
	}
}

// markOf returns a mark of the secondaries, by which replicas find out whether they have
// the same; "" for none. Their order does not matter.
func markOf(list []zone.Secondary) string {
	if len(list) == 0 {
		return ""
	}
	var all []string
	for _, s := range list {
		all = append(all, fmt.Sprint(s.Name, s.Servers, s.Notify, s.Keys))
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, "\n")))
	return hex.EncodeToString(sum[:8])
}

// primaries returns what the status is told of which replicas are primaries.
func (r *replica) primaries(ctx context.Context) (map[string]string, error) {
	if redis, ok := r.store.(*store.Redis); ok {
		return redis.Primaries(ctx)
	}
	if mark := markOf(r.options.Secondaries); mark != "" {
		return map[string]string{r.address: mark}, nil
	}
	return map[string]string{}, nil
}
