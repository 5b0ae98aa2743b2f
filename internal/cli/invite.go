package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/invite"
	"github.com/signpost-acme/signpost/internal/ownerpage"
	"github.com/signpost-acme/signpost/internal/server"
	"github.com/signpost-acme/signpost/internal/zone"
)

// inviteSettings are the flags of invite.
type inviteSettings struct {
	cluster  clusterFlags
	zoneName string
	scope    string
	url      string
	keys     string
	texts    string
	expires  string
	language string
	output   string

	sentences ownerpage.Texts // set by validate
	lifetime  time.Duration
}

func newInviteCommand() *cobra.Command {
	s := &inviteSettings{}
	cmd := &cobra.Command{
		Use:   "invite <domain>",
		Short: "Make the link that shows a domain's owner which record to add, and a text to send",
		Long: `Make a signed link to the page that shows a domain's owner which record to add and
where, and whether it is right; with it a short text to send. Nothing is sent or
changed. The keys, the URL, the zone and the scope are read from the cluster, with
your own rights (to read the Secret with the keys). With --keys no cluster is asked;
then --url and --zone are needed too. Every flag can also be given as an environment
variable: --url as SIGNPOST_URL, and so on; a flag wins over its variable.`,
		Example: "  signpost invite example.com --namespace team-a --expires 30d --language de\n" +
			"  signpost invite example.com --keys ./keys --url https://certs.example.com --zone acme.example.com -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if mistakes := append(applyEnvironment(cmd.Flags()), s.validate(args)...); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			i, err := s.invitation(cmd.Context(), args[0], time.Now())
			if err != nil {
				return err
			}
			return i.write(cmd.OutOrStdout(), s.output)
		},
	}
	s.addFlags(cmd.Flags())
	return cmd
}

func (s *inviteSettings) addFlags(fs *pflag.FlagSet) {
	fs.SortFlags = false
	s.cluster.addFlags(fs)
	fs.StringVar(&s.expires, "expires", "30d", "how long the link works: days, as 30d, or a duration, as 12h")
	fs.StringVar(&s.language, "language", ownerpage.English, "language of the text, and of the page that the link opens: en, de, or one of --texts")
	fs.StringVarP(&s.output, "output", "o", "text", "text, markdown or json")
	fs.StringVar(&s.keys, "keys", "", "directory with the keys of links, one a file (default: read from the cluster)")
	fs.StringVar(&s.url, "url", "", "URL under which the owner's page is reached (default: asked from the cluster)")
	fs.StringVar(&s.zoneName, "zone", "", "zone that Signpost serves (default: asked from the cluster)")
	fs.StringVar(&s.scope, "scope", "", "namespace that the record is for (default: asked from the cluster; cert-manager with --keys)")
	fs.StringVar(&s.texts, "texts", "", "directory with texts in other languages, as of --owner-texts of serve")
}

func (s *inviteSettings) validate(domains []string) (mistakes []string) {
	if len(domains) != 1 {
		mistakes = append(mistakes, "one domain is needed, for example: signpost invite example.com")
	} else if _, err := zone.Domain(domains[0]); err != nil {
		mistakes = append(mistakes, err.Error())
	}
	var err error
	if s.lifetime, err = parseLifetime(s.expires); err != nil {
		mistakes = append(mistakes, "--expires: "+err.Error())
	}
	s.sentences = ownerpage.Known()
	if s.texts != "" {
		if err := s.sentences.Read(s.texts); err != nil {
			mistakes = append(mistakes, "--texts: "+err.Error())
		}
	}
	if !s.sentences.Has(s.language) {
		mistakes = append(mistakes, fmt.Sprintf("--language: %q is none of %s; another one is a file in --texts", s.language, strings.Join(s.sentences.Languages(), ", ")))
	}
	if !slices.Contains([]string{"text", "markdown", "json"}, s.output) {
		mistakes = append(mistakes, fmt.Sprintf("--output: %q is none of text, markdown, json", s.output))
	}
	if s.url != "" {
		if _, err := server.OwnerURL(s.url); err != nil {
			mistakes = append(mistakes, "--url: "+err.Error())
		}
	}
	if s.keys != "" && s.url == "" {
		mistakes = append(mistakes, "--url: is needed with --keys: the URL under which the owner's page is reached")
	}
	if s.keys != "" && s.zoneName == "" {
		mistakes = append(mistakes, "--zone: is needed with --keys: the zone that Signpost serves")
	}
	return append(mistakes, s.cluster.validate()...)
}

// maxLifetime of a link: a record is added within days, or the link is forgotten.
const maxLifetime = 366 * 24 * time.Hour

// parseLifetime reads 30d, or what time.ParseDuration does.
func parseLifetime(text string) (d time.Duration, err error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(min(max(n, -1), 1000)) * 24 * time.Hour
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d < time.Minute || d > maxLifetime {
		return 0, fmt.Errorf("%q: write days, as 30d, or a duration, as 12h; at least a minute, at most 366d", text)
	}
	return d, nil
}

// invitation is what is printed.
type invitation struct {
	Domain  string      `json:"domain"`
	Scope   string      `json:"scope"`
	Link    string      `json:"link"`
	Expires time.Time   `json:"expires"`
	Record  zone.Record `json:"record"`
	ownerpage.Invitation
}

// invitation makes the link. It ends with a second, as links do.
func (s *inviteSettings) invitation(ctx context.Context, domain string, now time.Time) (*invitation, error) {
	at, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	target, err := at.zone.Target(at.scope, domain)
	if err != nil {
		return nil, usageError{err.Error()}
	}
	i := &invitation{Domain: target.Domain, Scope: target.Scope, Record: target.Record(), Expires: now.Add(s.lifetime).UTC().Truncate(time.Second)}
	if i.Link, err = ownerpage.Link(at.zone, at.url, at.keys, i.Scope, i.Domain, i.Expires); err != nil {
		return nil, err
	}
	if s.language != ownerpage.English {
		i.Link += "?language=" + url.QueryEscape(s.language)
	}
	i.Invitation = s.sentences.Invitation(s.language, i.Record, i.Domain, i.Link, i.Expires)
	return i, nil
}

func (i *invitation) write(w io.Writer, output string) error {
	switch output {
	case "json":
		return writeJSON(w, i)
	case "markdown":
		_, err := fmt.Fprintf(w, "**%s**\n\n%s", i.Subject, i.Markdown)
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n\n%s", i.Subject, i.Text)
	return err
}

// ownersPage is where links lead, and what signs them.
type ownersPage struct {
	zone  *zone.Zone
	scope string
	url   *url.URL
	keys  invite.Keys
}

// find finds out, from the flags or from the cluster.
func (s *inviteSettings) find(ctx context.Context) (at ownersPage, err error) {
	if s.keys != "" {
		at.scope = cmp.Or(s.scope, "cert-manager")
		if at.zone, err = zone.New(s.zoneName); err != nil {
			return at, usageError{"--zone: " + err.Error()}
		}
		if at.keys, err = invite.ReadKeys(s.keys); err != nil {
			return at, usageError{"--keys: " + err.Error()}
		}
		at.url, err = server.OwnerURL(s.url)
		return at, err
	}
	c, err := s.cluster.connect(ctx, s.zoneName, s.scope)
	if err != nil {
		return at, err
	}
	at, err = readOwnersPage(ctx, c.client, c.installed, s.url)
	at.zone, at.scope = c.zone, cmp.Or(s.scope, c.scope)
	return at, err
}

// readOwnersPage reads from the cluster what an installation says of its owner's page,
// and its keys.
func readOwnersPage(ctx context.Context, client *cluster.Client, installed cluster.Installation, address string) (at ownersPage, err error) {
	address = cmp.Or(address, installed.OwnerURL)
	if address == "" || installed.OwnerKeys == "" {
		return at, fmt.Errorf("the installation does not say where its owner's page is: set ownerPage.enabled in the chart, or give --keys, --url and --zone")
	}
	if at.url, err = server.OwnerURL(address); err != nil {
		return at, err
	}
	data, err := client.Secret(ctx, installed.OwnerKeys)
	if err != nil {
		return at, err
	}
	at.keys, err = invite.NewKeys(data)
	return at, err
}
