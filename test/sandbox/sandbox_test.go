//go:build linux

package sandbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/sandbox"
)

var config = sandbox.Config{Addresses: []string{"192.0.2.1/32", "2001:db8::1/128"}, Resolver: "192.0.2.1"}

// TestMain is the program inside as well, when a test asks for that.
func TestMain(m *testing.M) {
	switch os.Getenv("INSIDE") {
	case "":
		os.Exit(m.Run())
	case "look":
		sandbox.Main(config, look)
	case "linger":
		sandbox.Main(config, linger)
	}
}

// look checks what a sandbox promises; its exit code is 7 if all is there.
func look() int {
	var problems []error
	for _, address := range []string{"192.0.2.1:53", "[2001:db8::1]:53"} {
		l, err := net.Listen("tcp", address)
		problems = append(problems, err)
		if err == nil {
			conn, err := net.Dial("tcp", l.Addr().String())
			problems = append(problems, err)
			if err == nil {
				conn.Close()
			}
		}
		_, err = net.ListenPacket("udp", address)
		problems = append(problems, err)
	}
	if b, err := os.ReadFile("/etc/resolv.conf"); err != nil || string(b) != "nameserver 192.0.2.1\n" {
		problems = append(problems, fmt.Errorf("resolv.conf is %q, %w", b, err))
	}
	if os.Getpid() != 1 {
		problems = append(problems, fmt.Errorf("this is process %d", os.Getpid()))
	}
	if err := errors.Join(problems...); err != nil {
		fmt.Println(err)
		return 1
	}
	return 7
}

// linger starts a process that would outlive it.
func linger() int {
	cmd := exec.Command("sleep", os.Getenv("SLEEP"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("lingering")
	time.Sleep(time.Hour)
	return 0
}

func inside(t *testing.T, what string, ordinary bool, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if ordinary && os.Geteuid() == 0 { // an ordinary user must be able to read it
		b, err := os.ReadFile(exe)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := os.MkdirTemp("", "sandbox-test-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		exe = filepath.Join(dir, "inside")
		if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(exe, b, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), "INSIDE="+what), env...)
	cmd.Dir = "/"
	if ordinary && os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return cmd
}

func TestPromises(t *testing.T) {
	for _, ordinary := range []bool{false, true} {
		t.Run(fmt.Sprintf("ordinary user %v", ordinary), func(t *testing.T) {
			out, err := inside(t, "look", ordinary).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 7 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// However the program ends, nothing that it started survives.
func TestNothingSurvives(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			seconds := fmt.Sprintf("3%d%d", os.Getpid(), signal) // to be found again
			cmd := inside(t, "linger", false, "SLEEP="+seconds)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 64)
			if n, _ := out.Read(buf); !strings.Contains(string(buf[:n]), "lingering") {
				t.Fatalf("%s", buf[:n])
			}
			if !running(t, seconds) {
				t.Fatal("the process is not there in the first place")
			}
			_ = cmd.Process.Signal(signal)
			_ = cmd.Wait()
			poll.True(t, 10*time.Second, "no process has survived", func() bool { return !running(t, seconds) })
		})
	}
}

// running reports whether there is a process sleep <seconds>.
func running(t *testing.T, seconds string) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if b, _ := os.ReadFile(file); bytes.Equal(b, []byte("sleep\x00"+seconds+"\x00")) {
			return true
		}
	}
	return false
}
