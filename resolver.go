package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// addResolverFlag adds the one flag of everything that looks up CNAMEs.
func addResolverFlag(fs *pflag.FlagSet, resolvers *[]string) {
	fs.StringArrayVar(resolvers, "resolver", nil, "recursive resolver that domains are looked up with, as address:port; repeat for more (default: those of this machine)")
}

func checkResolvers(resolvers []string) (mistakes []string) {
	for _, r := range resolvers {
		if err := checkAddress(r); err != nil || strings.HasPrefix(r, ":") {
			mistakes = append(mistakes, fmt.Sprintf("--resolver: %q: write address:port, for example 9.9.9.9:53", r))
		}
	}
	return mistakes
}
