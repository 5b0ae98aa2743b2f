package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progress tells a person what happens: lines that stay, and on a terminal one
// below them that says what is being waited for. Elsewhere that is a line too,
// whenever it changes.
type progress struct {
	out      io.Writer
	terminal bool
	begin    time.Time
	waiting  string
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, begin: time.Now()}
	if f, ok := out.(*os.File); ok {
		p.terminal = term.IsTerminal(int(f.Fd()))
	}
	return p
}

// say prints a line.
func (p *progress) say(format string, args ...any) {
	p.clear()
	fmt.Fprintf(p.out, format+"\n", args...)
}

// step prints a line about something that has happened, and when.
func (p *progress) step(format string, args ...any) {
	p.clear()
	fmt.Fprintf(p.out, "%6.1f s  %s\n", time.Since(p.begin).Seconds(), fmt.Sprintf(format, args...))
}

// wait says what is being waited for.
func (p *progress) wait(text string) {
	switch {
	case p.terminal:
		fmt.Fprintf(p.out, "\r\x1b[K%6.1f s  … %s", time.Since(p.begin).Seconds(), text)
	case text != p.waiting:
		fmt.Fprintf(p.out, "%6.1f s  … %s\n", time.Since(p.begin).Seconds(), text)
	}
	p.waiting = text
}

// end takes away what is being waited for.
func (p *progress) end() { p.clear() }

func (p *progress) clear() {
	if p.terminal && p.waiting != "" {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.waiting = ""
}
