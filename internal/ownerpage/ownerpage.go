// Package ownerpage is the page that a signed link leads to: it shows the owner of one
// domain which record to add and where, whether it is right, and then that the
// certificate was issued. It faces the Internet. What it shows of the cluster is a
// function of the one domain and scope in the link; it knows no other, and no names of
// namespaces, Certificates or replicas. It may import check, invite, provider and
// zone; its proof is in its own tests, and in the browser tests.
package ownerpage

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/invite"
	"github.com/signpost-acme/signpost/internal/zone"
)

// Issuance is how far the certificates for a domain are.
type Issuance int

// What is known of a domain's certificates.
const (
	NotWanted Issuance = iota // nobody has asked for one, or it is not known
	UnderWay                  // not all are issued
	Trouble                   // one is not issued, and not for want of the record
	Issued                    // all are
)

// Certificates are those for one domain in one scope.
type Certificates struct {
	Issuance Issuance
	Expires  time.Time // the first of those that are valid; zero for none

	// CA and Account are who issues, as CAA records name them; empty if not known.
	CA, Account string
}

// Looker looks at owners' records. See check.Checker.
type Looker interface {
	See(ctx context.Context, scope, domain string) check.Sight
	Changed(ctx context.Context, t zone.Target) bool
}

// Config says what to serve. All fields are needed but Company, Contact and Log.
type Config struct {
	Zone         *zone.Zone
	URL          *url.URL           // under which the page is reached, as links have it
	Keys         func() invite.Keys // that open links; called for every request
	Looker       Looker
	Certificates func(scope, domain string) Certificates // must not wait for anything
	Texts        Texts
	Company      string // who asks, in a few words
	Contact      string // an e-mail address, a URL, or text
	Log          *slog.Logger
}

// Page is an http.Handler. Use New.
type Page struct {
	Config
	base    string // the path of the URL, without a final slash
	looks   *looks
	now     func() time.Time
	refused map[refusal][]byte
}

// New returns a page whose looks end with ctx.
func New(ctx context.Context, c Config) (*Page, error) {
	p := &Page{Config: c, base: strings.TrimSuffix(c.URL.Path, "/"), looks: newLooks(ctx, c.Zone, c.Looker), now: time.Now}
	return p, p.prepareRefusals()
}

// Link returns the link to a domain's page, which ends at a time. See invite.Keys.Sign.
func Link(z *zone.Zone, base *url.URL, keys invite.Keys, scope, domain string, expires time.Time) (string, error) {
	path, err := keys.Sign(z, invite.Link{Scope: scope, Domain: domain, Expires: expires})
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(base.String(), "/") + path, nil
}
