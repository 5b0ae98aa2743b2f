package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/signpost-acme/signpost/test/process"
)

// server is one of those that are compared.
type server struct {
	name    string
	address string
	version string
	*process.Process
}

// pids returns the server's processes: its own, and its children.
func (s *server) pids() []int {
	parents := map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		parents[pid], _ = strconv.Atoi(fields[1])
	}
	var pids []int
	for pid := range parents {
		for p := pid; p > 1; p = parents[p] {
			if p == s.PID() {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// cpu returns how much CPU time the server has taken so far, to the nanosecond,
// by the clocks of its processes.
func (s *server) cpu() (total time.Duration) {
	for _, pid := range s.pids() {
		var ts unix.Timespec
		const schedulerClock = 2 // as clock_getcpuclockid(3) composes it
		if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &ts); err == nil {
			total += time.Duration(ts.Nano())
		}
	}
	return total
}

// memory returns the proportional set size in MiB.
func (s *server) memory() (mib float64) { return s.smaps("Pss:") }

// ownMemory returns it without what is mapped from files, such as the program itself.
func (s *server) ownMemory() (mib float64) { return s.smaps("Pss_Anon:") }

func (s *server) smaps(what string) (mib float64) {
	for _, pid := range s.pids() {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, what); ok {
				kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				mib += kb / 1024
			}
		}
	}
	return mib
}

// begin starts the server, alone on the first core, and waits until it answers.
func (s *server) begin(ctx context.Context, query []byte) error {
	s.Args = append([]string{"taskset", "-c", "0"}, s.Args...)
	s.Name = s.name
	if err := s.Start(nil); err != nil {
		return err
	}
	return s.Until(ctx, "answer", func(ctx context.Context) error {
		conn, err := net.Dial("udp", s.address)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := conn.Write(query); err != nil {
			return err
		}
		buf := make([]byte, maxAnswer)
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		if s.name != "echo" && (n < 12 || buf[3]&0xf != 0 || buf[7] == 0) {
			return errors.New("answers, but without the record")
		}
		return nil
	})
}

func (s *server) end() { s.End(syscall.SIGTERM) }

// versionOf runs a command and returns the first word in its output that has a digit and a dot in it.
func versionOf(args ...string) string {
	out, _ := exec.Command(args[0], args[1:]...).CombinedOutput()
	for _, w := range strings.Fields(string(out)) {
		if strings.ContainsAny(w, "0123456789") && strings.Contains(w, ".") {
			return strings.Trim(w, ",:()")
		}
	}
	return fmt.Sprintf("%.20s", out)
}
