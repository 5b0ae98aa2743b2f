// Chart packages a Helm chart, as helm package does, where helm is not at hand.
//
//	chart package <chart> <directory> [<version>]
package main

import (
	"errors"
	"fmt"
	"os"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 || len(args) > 4 || args[0] != "package" {
		return errors.New("usage: chart package <chart> <directory> [<version>]")
	}
	c, err := loader.LoadDir(args[1])
	if err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	if len(args) == 4 {
		c.Metadata.Version, c.Metadata.AppVersion = args[3], args[3]
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	if err := os.MkdirAll(args[2], 0o755); err != nil {
		return err
	}
	file, err := chartutil.Save(c, args[2])
	if err != nil {
		return err
	}
	fmt.Println(file)
	return nil
}
