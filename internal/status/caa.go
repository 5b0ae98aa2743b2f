package status

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	authorityLifetime = time.Hour
	authorityTimeout  = 5 * time.Second
	authorityMaxSize  = 64 << 10 // of a directory, and of its header
)

// Who may create Issuers chooses the URLs of directories, so what they can make us
// ask and keep is bounded.
const (
	maxAuthorities      = 64   // kept at a time; Let's Encrypt is one
	maxAuthoritiesOfOne = 4    // namespace, by its own Issuers
	maxURLSize          = 1024 // of a directory
	maxIdentities       = 16   // of a CA; Let's Encrypt has one
	maxIdentitySize     = 253  // a domain name
)

// authorities knows under what names CAs look for themselves in CAA records: they
// say so in their ACME directories (RFC 8555 section 7.1.1, caaIdentities). It asks
// only for Issuers that are Ready, and forgets what no Issuer uses.
type authorities struct {
	mu      sync.Mutex
	private bool            // a CA may have an address that the Internet does not reach
	used    map[string]bool // directory URLs, whether an Issuer that is Ready has it
	known   map[string]authority
}

type authority struct {
	identities []string
	next       time.Time
	asking     bool
}

// use says what Certificates there are: the directories of their Issuers are the
// ones that count. Where there are too many, those of ClusterIssuers come first, then
// those that most namespaces use, so that nobody crowds out the CA that all have. With
// private a CA may have an address that the Internet does not reach.
func (a *authorities) use(certificates []cluster.Certificate, private bool) {
	type use struct {
		ready, shared bool
		namespaces    map[string]bool
	}
	uses, own := map[string]*use{}, map[string]map[string]bool{}
	for _, c := range certificates {
		if c.Directory == "" || len(c.Directory) > maxURLSize {
			continue
		}
		shared := strings.HasPrefix(c.Issuer, "ClusterIssuer/")
		if !shared {
			if own[c.Namespace] == nil {
				own[c.Namespace] = map[string]bool{}
			}
			if len(own[c.Namespace]) >= maxAuthoritiesOfOne && !own[c.Namespace][c.Directory] {
				continue
			}
			own[c.Namespace][c.Directory] = true
		}
		u := uses[c.Directory]
		if u == nil {
			u = &use{namespaces: map[string]bool{}}
			uses[c.Directory] = u
		}
		u.ready, u.shared = u.ready || c.IssuerReady, u.shared || shared
		u.namespaces[c.Namespace] = true
	}
	directories := slices.SortedFunc(maps.Keys(uses), func(x, y string) int {
		rank := func(d string) int {
			if uses[d].shared {
				return 1 << 30
			}
			return len(uses[d].namespaces)
		}
		return cmp.Or(cmp.Compare(rank(y), rank(x)), cmp.Compare(x, y))
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.private, a.used = private, map[string]bool{}
	for _, d := range directories[:min(len(directories), maxAuthorities)] {
		a.used[d] = uses[d].ready
	}
	maps.DeleteFunc(a.known, func(d string, _ authority) bool { _, ok := a.used[d]; return !ok })
}

// identities returns those of the CA with this directory, nil if it does not say or
// is not to be asked. CAA records are not compared then.
func (a *authorities) identities(ctx context.Context, directory string) []string {
	a.mu.Lock()
	ready, used := a.used[directory]
	known := a.known[directory]
	if !used || !ready || known.asking || time.Now().Before(known.next) {
		a.mu.Unlock()
		return known.identities
	}
	known.asking = true
	if a.known == nil {
		a.known = map[string]authority{}
	}
	a.known[directory] = known
	private := a.private
	a.mu.Unlock()

	found, err := readIdentities(ctx, directory, private)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		known.identities = found
	} // else what was known
	known.asking, known.next = false, time.Now().Add(authorityLifetime)
	if _, used := a.used[directory]; used {
		a.known[directory] = known
	}
	return known.identities
}

// binding returns what a CAA record would bind a domain to: the CA's name there and the
// account; "" if one of them is not known, or if there are several.
func (a *authorities) binding(of ca) (identity, account string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.known[of.directory].identities
	if of.several || len(known) == 0 || zone.CheckAccountURI(of.account) != nil {
		return "", ""
	}
	identity, err := zone.CAAIdentity(known[0])
	if err != nil {
		return "", ""
	}
	return identity, of.account
}

// readIdentities asks a CA. What it says is cut to what a CA needs.
func readIdentities(ctx context.Context, directory string, private bool) (identities []string, err error) {
	if !strings.HasPrefix(directory, "https://") {
		return nil, errors.New("not https")
	}
	ctx, cancel := context.WithTimeout(ctx, authorityTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, directory, nil)
	if err != nil {
		return nil, err
	}
	resp, err := authorityClient(req, private).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	var d struct {
		Meta struct {
			CAAIdentities []string `json:"caaIdentities"`
		} `json:"meta"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, authorityMaxSize)).Decode(&d); err != nil {
		return nil, err
	}
	for _, name := range d.Meta.CAAIdentities {
		if len(name) <= maxIdentitySize && len(identities) < maxIdentities {
			identities = append(identities, name)
		}
	}
	return identities, nil
}

// authorityClient follows no redirects, and connects to no address that the Internet does not
// reach, whatever the name resolves to, but with private. With a proxy in the environment
// (HTTPS_PROXY) it is the proxy's to say what is reached.
func authorityClient(req *http.Request, private bool) *http.Client {
	transport := &http.Transport{}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = t.Clone()
	}
	transport.DisableKeepAlives, transport.MaxResponseHeaderBytes = true, authorityMaxSize
	proxied := false
	if transport.Proxy != nil {
		p, err := transport.Proxy(req)
		proxied = err != nil || p != nil
	}
	if !proxied && !private {
		transport.DialContext = (&net.Dialer{Control: permits}).DialContext
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// nat64 is where IPv6-only networks reach IPv4 (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// permits is a net.Dialer's Control: address is what is connected to.
func permits(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().WithZone("")
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	if why := zone.Unreachable(ip); why != "" {
		return fmt.Errorf("the CA's address %s is %s", ip, why)
	}
	return nil
}
