// Package sandbox runs a program inside Linux namespaces of its own: a network
// in which every address and port is free, port 53 too, a resolv.conf of its
// own, and a process tree that ends with the program, however that ends. It
// needs no privileges: an ordinary user gets a user namespace as well.
package sandbox

import (
	"fmt"
	"os"
)

// env marks the program inside.
const env = "SIGNPOST_SANDBOX"

// Config is what a sandbox gets.
type Config struct {
	// Addresses are IP prefixes that are local to the sandbox, all on one interface.
	Addresses []string

	// Resolver is the only nameserver in /etc/resolv.conf.
	Resolver string

	// Listeners is how many TCP listeners of the host, on free ports of
	// 127.0.0.1, the program inside is handed: see Listener.
	Listeners int

	// PIDFile gets the number of the process inside, as it is outside, when that
	// process is left running: see Release.
	PIDFile string
}

// Main runs inside in a sandbox and ends the process with its result as exit
// code. It does so by running the program again: everything before the call of
// Main is run outside as well. Without namespaces it says what is missing, and
// the exit code is 1.
func Main(c Config, inside func() int) {
	if os.Getenv(env) == "" {
		code, err := outside(c)
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			code = 1
		}
		os.Exit(code)
	}
	if err := setUp(c); err != nil {
		fmt.Fprintln(os.Stderr, "error: sandbox:", err)
		os.Exit(1)
	}
	os.Exit(inside())
}
