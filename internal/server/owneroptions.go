package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/signpost-acme/signpost/internal/invite"
	"github.com/signpost-acme/signpost/internal/ownerpage"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/zone"
)

// linkLifetime is how long a link on the status page is valid, at the least.
const linkLifetime = 30 * 24 * time.Hour

// OwnerOptions is what serve is told about the owner's page. Validate fills in what is
// not a flag.
type OwnerOptions struct {
	listen  string
	address string // URL
	keys    string
	texts   string
	company string
	contact string

	url       *url.URL
	directory *invite.Directory // nil for no keys
	sentences ownerpage.Texts
	listener  net.Listener // nil for none
}

// AddFlags adds a flag for each option.
func (o *OwnerOptions) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.listen, "owner-listen", "", "address of the owner's page, plain HTTP for a proxy in front that has TLS; it is for the Internet, and shows the one domain in a signed link (default: there is none)")
	fs.StringVar(&o.address, "owner-url", "", "URL under which the owner's page is reached, for example https://certs.example.com")
	fs.StringVar(&o.keys, "owner-keys", "", "directory with the keys of links to the owner's page, one a file")
	fs.StringVar(&o.company, "owner-company", "", "who asks for the record, as the owner's page says it")
	fs.StringVar(&o.contact, "owner-contact", "", "whom owners can ask: an e-mail address, an https:// URL or text")
	fs.StringVar(&o.texts, "owner-texts", "", "directory with texts of the owner's page in other languages, as fr.yaml, or in other words")
}

// Validate returns every mistake.
func (o *OwnerOptions) Validate() (mistakes []string) {
	if o.listen == "" && o.address == "" && o.keys == "" {
		return nil
	}
	if o.listen != "" {
		if err := CheckAddress(o.listen); err != nil {
			mistakes = append(mistakes, "--owner-listen: "+err.Error())
		}
	}
	var err error
	if o.url, err = OwnerURL(o.address); err != nil {
		mistakes = append(mistakes, "--owner-url: "+err.Error())
	}
	if o.keys == "" {
		mistakes = append(mistakes, "--owner-keys: is needed: the directory with the keys of links")
	} else if _, err := invite.ReadKeys(o.keys); err != nil {
		mistakes = append(mistakes, "--owner-keys: "+err.Error())
	}
	o.directory = &invite.Directory{Path: o.keys}
	o.sentences = ownerpage.Known()
	if o.texts != "" {
		if err := o.sentences.Read(o.texts); err != nil {
			mistakes = append(mistakes, "--owner-texts: "+err.Error())
		}
	}
	return mistakes
}

// OwnerURL reads the URL under which the owner's page is reached.
func OwnerURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.Contains(u.EscapedPath(), "%") {
		return nil, fmt.Errorf("%q: write the URL under which owners reach the page, for example https://certs.example.com", text)
	}
	return u, nil
}

// listenForOwners binds the page's port.
func (o *OwnerOptions) listenForOwners() (err error) {
	if o.listen == "" {
		return nil
	}
	if o.listener, err = net.Listen("tcp", o.listen); err != nil {
		return fmt.Errorf("owner's page: %w; stop the program that has it, or choose another with --owner-listen", err)
	}
	return nil
}

// link returns the link to a domain's page, "" if there are no keys. It is the same for
// a day, so that the status page does not change with every look.
func (o *OwnerOptions) link(z *zone.Zone) func(scope, domain string) string {
	if o.directory == nil {
		return nil
	}
	return func(scope, domain string) string {
		end := time.Now().UTC().Truncate(24 * time.Hour).Add(linkLifetime + 24*time.Hour)
		link, err := ownerpage.Link(z, o.url, o.directory.Keys(), scope, domain, end)
		if err != nil {
			return "" // no keys, or a name that there can be no certificate for
		}
		return link
	}
}

// serveOwners returns what serves the page until its context is done; nil for nothing.
func (o *OwnerOptions) serveOwners(z *zone.Zone, looker ownerpage.Looker, snapshot func() status.Snapshot, log *slog.Logger) func(context.Context) error {
	if o.listener == nil {
		return nil
	}
	return func(ctx context.Context) error {
		page, err := ownerpage.New(ctx, ownerpage.Config{
			Zone: z, URL: o.url, Keys: o.directory.Keys, Looker: looker, Texts: o.sentences, Company: o.company, Contact: o.contact, Log: log,
			Certificates: func(scope, domain string) ownerpage.Certificates {
				return certificatesOf(snapshot(), scope, domain, time.Now())
			},
		})
		if err != nil {
			return fmt.Errorf("owner's page: %w", err)
		}
		return ownerpage.Serve(ctx, o.listener, page, log)
	}
}

// certificatesOf is all that the owner's page is told of the cluster. The domains of a
// snapshot are sorted by scope/name.
func certificatesOf(s status.Snapshot, scope, domain string, now time.Time) (c ownerpage.Certificates) {
	i, found := slices.BinarySearchFunc(s.Domains, scope+"/"+domain, func(d status.Domain, key string) int { return cmp.Compare(d.Scope+"/"+d.Name, key) })
	if !found || s.Cluster != "" {
		return c
	}
	d := s.Domains[i]
	c.CA, c.Account = d.CA, d.Account
	ready := 0
	for _, x := range d.Certificates {
		if x.NotAfter != nil && x.NotAfter.After(now) && (c.Expires.IsZero() || x.NotAfter.Before(c.Expires)) {
			c.Expires = *x.NotAfter
		}
		if x.Ready && x.NotAfter != nil && x.NotAfter.After(now) {
			ready++
		}
	}
	switch {
	case len(d.Certificates) == 0:
	case ready == len(d.Certificates):
		c.Issuance = ownerpage.Issued
	case slices.ContainsFunc(d.Challenges, func(ch status.Challenge) bool { return ch.Failed() }),
		slices.ContainsFunc(d.Requests, func(r status.Request) bool { return r.Refused != "" }):
		c.Issuance = ownerpage.Trouble
	default:
		c.Issuance = ownerpage.UnderWay
	}
	return c
}
