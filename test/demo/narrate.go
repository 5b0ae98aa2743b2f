package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Narrator tells a person what happens, with the seconds since the beginning.
type Narrator struct {
	out   io.Writer
	begin time.Time
}

func newNarrator(out io.Writer) *Narrator { return &Narrator{out: out, begin: time.Now()} }

// Title begins a part.
func (n *Narrator) Title(text string) { fmt.Fprintf(n.out, "\n== %s\n", text) }

// Say prints a sentence.
func (n *Narrator) Say(text string) { fmt.Fprintf(n.out, "         %s\n", text) }

// Code prints lines to copy, or to read closely.
func (n *Narrator) Code(lines ...string) {
	fmt.Fprintf(n.out, "\n%s\n\n", indent(strings.Join(lines, "\n"), "             "))
}

// Step says what has happened just now.
func (n *Narrator) Step(format string, args ...any) {
	fmt.Fprintf(n.out, "%6.1f s %s\n", time.Since(n.begin).Seconds(), fmt.Sprintf(format, args...))
}
