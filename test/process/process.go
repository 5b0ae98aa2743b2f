// Package process runs programs, watches them, and ends them again.
package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/signpost-acme/signpost/internal/poll"
)

// Process is a program that runs until it is stopped. What it prints goes to a
// file, <Name>.log in Dir.
type Process struct {
	Name string
	Args []string
	Env  []string // beside this program's
	Dir  string

	mu      sync.Mutex
	cmd     *exec.Cmd
	stopped bool          // on purpose
	done    chan struct{} // closed when the program has ended
}

// Start starts the program (again). died, if not nil, is called when it ends unexpectedly.
func (p *Process) Start(died func(error)) error {
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.Args[0], p.Args[1:]...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Dir = p.Dir
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	done := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.stopped, p.done = cmd, false, done
	p.mu.Unlock()
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		stopped := p.stopped
		p.mu.Unlock()
		close(done)
		if !stopped && died != nil {
			died(errors.Join(fmt.Errorf("%s ended unexpectedly", p.Name), err, errors.New(p.Tail())))
		}
	}()
	return nil
}

// Signal sends a signal, if the program runs.
func (p *Process) Signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// End ends the program by a signal, and by force if it takes longer than 15 s.
func (p *Process) End(s os.Signal) {
	p.mu.Lock()
	if p.cmd == nil {
		p.mu.Unlock()
		return
	}
	p.stopped = true
	_ = p.cmd.Process.Signal(s)
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may be paused
	done := p.done
	p.mu.Unlock()
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		p.Signal(os.Kill)
		<-done
	}
}

func (p *Process) logFile() string { return filepath.Join(p.Dir, p.Name+".log") }

// Output returns what the program printed.
func (p *Process) Output() string {
	b, _ := os.ReadFile(p.logFile())
	return string(b)
}

// Running reports whether the program has been started and has not ended.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return !p.stopped
	}
}

// Tail returns the end of what the program printed.
func (p *Process) Tail() string {
	lines := strings.Split(strings.TrimSpace(p.Output()), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// Listens waits until the program accepts connections at address.
func (p *Process) Listens(ctx context.Context, address string) error {
	return p.Until(ctx, "accept connections at "+address, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// Until waits until ok returns nil, the program ends, or 90 s have passed.
func (p *Process) Until(ctx context.Context, what string, ok func(context.Context) error) error {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	alive, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-done:
			cancel(fmt.Errorf("%s has ended", p.Name))
		case <-alive.Done():
		}
	}()
	err := poll.Try(alive, 90*time.Second, p.Name+" does "+what, func() error {
		try, cancel := context.WithTimeout(alive, 2*time.Second)
		defer cancel()
		return ok(try)
	})
	if err != nil {
		return errors.Join(err, errors.New(p.Tail()))
	}
	return nil
}

// Look finds a program of the distribution; those in sbin are not on an ordinary
// user's PATH.
func Look(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed; hack/setup installs it, hack/setup test what tests need", name)
}

// PID returns the number of the process; 0 before Start.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Healthy returns what Until waits for: that a URL can be had, with status 200.
func Healthy(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s says %s", url, resp.Status)
		}
		return nil
	}
}
