// Package recipes sets real nameservers up as secondaries of our zone, each from the
// text of its recipe in docs. It imports nothing of ours but process; test/secondaries
// follows what it sets up, test/world puts it into a whole installation.
package recipes

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/signpost-acme/signpost/test/process"
)

// Secret is the secret that stands in the recipes, of the key "transfer".
const Secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// What stands in the recipes for the zone, and for the primary's address.
const (
	origin  = "acme.example.com"
	address = "192.0.2.53"
)

// Kind is a program that can be a secondary.
type Kind struct {
	Document string // with its recipe, in docs; secondaries.md if empty
	Heading  string // of its recipe
	Zone     string // in place of the recipe's; the same if empty

	// Prepare writes what the program needs into dir, so that it answers at an address.
	// Blocks are the recipe's, in which the primary's address and the secret are those
	// that are meant; it returns the command.
	Prepare func(dir string, at netip.AddrPort, blocks []string) (args []string, err error)

	Primary func(netip.AddrPort) string // the primary's address, as the program writes it
}

// Command writes the settings of a secondary that answers at an address and transfers
// from the primary with a secret, and returns the command that runs it.
func (k Kind) Command(dir string, at, primary netip.AddrPort, secret string) ([]string, error) {
	blocks, err := k.Recipe()
	if err != nil {
		return nil, err
	}
	if all := strings.Join(blocks, ""); !strings.Contains(all, address) || !strings.Contains(all, Secret) {
		return nil, fmt.Errorf("the recipe %q has not the address or the secret that stand in the document", k.Heading)
	}
	fill := strings.NewReplacer(address, k.Primary(primary), Secret, secret, origin, cmp.Or(k.Zone, origin))
	for i := range blocks {
		blocks[i] = fill.Replace(blocks[i])
	}
	args, err := k.Prepare(dir, at, blocks)
	if err != nil {
		return nil, err
	}
	args[0], err = process.Look(args[0])
	return args, err
}

// Recipe returns the code blocks below the heading in the document.
func (k Kind) Recipe() (blocks []string, err error) {
	return below(cmp.Or(k.Document, "secondaries.md"), k.Heading)
}

// below returns the code blocks below a heading of a document.
func below(document, heading string) (blocks []string, err error) {
	text, err := Document(document)
	if err != nil {
		return nil, err
	}
	_, rest, ok := strings.Cut(text, "\n### "+heading+"\n")
	if !ok {
		return nil, fmt.Errorf("there is no recipe %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	rest, _, _ = strings.Cut(rest, "\n### ")
	for i, part := range strings.Split(rest, "\n```\n") {
		if i%2 == 1 {
			blocks = append(blocks, part+"\n")
		}
	}
	return blocks, nil
}

// Document returns a document of docs, for a test in a folder of test, or a program that
// runs in test.
func Document(name string) (string, error) {
	b, err := os.ReadFile(filepath.Join("../../docs", name))
	if errors.Is(err, fs.ErrNotExist) {
		b, err = os.ReadFile(filepath.Join("../docs", name))
	}
	return string(b), err
}

// setting returns text, which a document must recommend.
func setting(document, text string) (string, error) {
	doc, err := Document(document)
	if err == nil && !strings.Contains(doc, "`"+text+"`") {
		err = fmt.Errorf("docs/%s does not recommend %q", document, text)
	}
	return text, err
}

func write(dir, name, text string) error {
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
}

func shell(script string) error {
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", script, err), errors.New(string(out)))
	}
	return nil
}

// line returns the line of a text that has something.
func line(text, has string) string {
	for l := range strings.Lines(text) {
		if strings.Contains(l, has) {
			return l
		}
	}
	return ""
}
