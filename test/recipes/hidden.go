package recipes

import (
	"fmt"
	"net/netip"
	"strings"
)

// Hidden returns the kind of a secondary that signs and answers nobody but two
// nameservers, which transfer from it, by docs/dnssec.md. Name is that of one of Kinds.
func Hidden(name string, nameservers [2]netip.Addr) (Kind, error) {
	k := Kinds[name]
	k.Document = "dnssec.md"
	more, err := below(k.Document, k.Heading+", hidden")
	if err != nil {
		return k, err
	}
	fill := strings.NewReplacer("192.0.2.1", nameservers[0].String(), "198.51.100.2", nameservers[1].String())
	for i := range more {
		more[i] = fill.Replace(more[i])
	}
	insert := map[string][]string{ // what is replaced, and by what
		"knot": {"zone:\n", more[0] + "\nzone:\n", "    acl: signpost-notify\n", more[len(more)-1]},
		"bind": {"    inline-signing yes;\n", "    inline-signing yes;\n" + more[0]},
	}[name]
	prepare := k.Prepare
	k.Prepare = func(dir string, at netip.AddrPort, blocks []string) ([]string, error) {
		for i := 0; i < len(insert); i += 2 {
			if strings.Count(blocks[0], insert[i]) != 1 {
				return nil, fmt.Errorf("the recipe %q does not have %q once", k.Heading, insert[i])
			}
			blocks[0] = strings.Replace(blocks[0], insert[i], insert[i+1], 1)
		}
		return prepare(dir, at, blocks)
	}
	return k, nil
}
