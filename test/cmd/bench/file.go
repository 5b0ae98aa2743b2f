package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// save puts one part of the report into the file and leaves the other parts as
// they are: each says itself when and where it was measured.
func save(file string, p part, text string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	texts := map[string]string{}
	for _, p := range parts {
		_, after, found := strings.Cut(string(old), marker(p))
		if found {
			texts[p.name], _, _ = strings.Cut(after, "\n<!-- ")
		}
	}
	texts[p.name] = fmt.Sprintf("\n## %s\n\nMeasured on %s: %s, Linux %s, %s.\n\n%s", p.title,
		time.Now().UTC().Format(time.DateOnly), cpuModel(), kernel(), runtime.Version(), strings.TrimSpace(text))
	var b strings.Builder
	b.WriteString("# Benchmarks\n\nWritten by `make bench`. [performance.md](performance.md) says what costs what.\n")
	for _, p := range parts {
		if text := texts[p.name]; text != "" {
			b.WriteString("\n" + marker(p) + strings.TrimRight(text, "\n") + "\n")
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

func marker(p part) string { return "<!-- " + p.name + " -->" }

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "model name"); ok {
			return fmt.Sprintf("%d × %s", runtime.NumCPU(), strings.Trim(rest, " \t:\n"))
		}
	}
	return fmt.Sprintf("%d processors", runtime.NumCPU())
}

func kernel() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(b))
}

// takeCore moves this program, all its threads, to one core: the servers have
// the other.
func takeCore(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		var id int
		if _, err := fmt.Sscan(t.Name(), &id); err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("two cores are needed, one for the servers and one for the load: %w", err)
		}
	}
	return nil
}
