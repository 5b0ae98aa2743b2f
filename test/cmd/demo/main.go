// Command demo issues a wildcard certificate for real on this machine, with
// everything as a process, and says what happens while it does.
package main

import "github.com/signpost-acme/signpost/test/demo"

func main() { demo.Main(demo.Processes()) }
