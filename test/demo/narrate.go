package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// narrator tells a person what happens, with the seconds since the beginning.
type narrator struct {
	out   io.Writer
	begin time.Time
}

func newNarrator(out io.Writer) *narrator { return &narrator{out: out, begin: time.Now()} }

func (n *narrator) title(text string) { fmt.Fprintf(n.out, "\n== %s\n", text) }

func (n *narrator) say(text string) { fmt.Fprintf(n.out, "         %s\n", text) }

func (n *narrator) code(lines ...string) {
	fmt.Fprintf(n.out, "\n%s\n\n", indent(strings.Join(lines, "\n"), "             "))
}

func (n *narrator) step(format string, args ...any) {
	fmt.Fprintf(n.out, "%6.1f s %s\n", time.Since(n.begin).Seconds(), fmt.Sprintf(format, args...))
}
