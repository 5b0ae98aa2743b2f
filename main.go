// Signpost serves DNS-01 challenges: a cert-manager webhook with its own
// authoritative DNS server.
package main

import (
	"os"

	"github.com/signpost-acme/signpost/internal/cli"
)

func main() { os.Exit(cli.Main()) }
