package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
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

// reportAll makes a command line that cannot be parsed report all its mistakes,
// and those in the settings that could be read, instead of the first one.
func reportAll(cmd *cobra.Command, args []string, validate func() []string) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, _ error) error {
		return usageError(append(parseMistakes(cmd.Flags(), args), validate()...))
	})
}

// parseMistakes sets every flag in args that can be set and returns what is
// wrong with the others. args may begin with the names of commands.
func parseMistakes(fs *pflag.FlagSet, args []string) (mistakes []string) {
	fs.Visit(func(f *pflag.Flag) { // what was parsed before the mistake comes again now
		if list, ok := f.Value.(pflag.SliceValue); ok {
			_ = list.Replace(nil)
		}
	})
	for i := 0; i < len(args); i++ {
		name, value, hasValue := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		if !strings.HasPrefix(args[i], "-") || args[i] == "--" {
			continue
		}
		f := fs.Lookup(name)
		if !strings.HasPrefix(args[i], "--") {
			if f = shorthand(fs, name); f != nil {
				name, value, hasValue = f.Name, strings.TrimPrefix(args[i][2:], "="), len(args[i]) > 2
			}
		}
		if f == nil {
			mistakes = append(mistakes, "there is no flag "+strings.SplitN(args[i], "=", 2)[0])
			continue
		}
		if !hasValue && f.NoOptDefVal != "" {
			value, hasValue = f.NoOptDefVal, true
		}
		if !hasValue {
			if i+1 == len(args) {
				mistakes = append(mistakes, fmt.Sprintf("--%s: needs a value", name))
				continue
			}
			i++
			value = args[i]
		}
		if err := fs.Set(name, value); err != nil {
			mistakes = append(mistakes, fmt.Sprintf("--%s: %q is not a valid %s", name, value, f.Value.Type()))
		}
	}
	return mistakes
}

// shorthand returns the flag that -o, -o=value or -ovalue means.
func shorthand(fs *pflag.FlagSet, name string) *pflag.Flag {
	if len(name) < 2 {
		return nil
	}
	return fs.ShorthandLookup(name[1:2])
}
