package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

const envPrefix = "SIGNPOST_"

// envName returns the environment variable that stands in for a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// applyEnvironment sets every flag that the command line left alone and that
// has a variable. A variable of a repeatable flag has its values separated by
// white space. It returns the mistakes.
func applyEnvironment(fs *pflag.FlagSet) (mistakes []string) {
	fs.VisitAll(func(f *pflag.Flag) {
		text, ok := os.LookupEnv(envName(f.Name))
		if !ok || f.Changed || f.Name == "help" {
			return
		}
		values := []string{text}
		if f.Value.Type() == "stringArray" {
			values = strings.Fields(text)
		}
		for _, v := range values {
			if err := fs.Set(f.Name, v); err != nil {
				mistakes = append(mistakes, fmt.Sprintf("%s: %q is not a valid %s", envName(f.Name), v, f.Value.Type()))
			}
		}
	})
	return mistakes
}
