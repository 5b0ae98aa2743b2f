package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

const (
	releaseFD       = 3 // the program inside writes here to be left running
	firstListenerFD = 4
)

// outside runs this program again in new namespaces and returns its exit code,
// or 0 as soon as it wants to be left running.
func outside(c Config) (int, error) {
	runtime.LockOSThread() // Pdeathsig is about the thread that started the child
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), env+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL, // and with it everything inside: it is process 1 there
		Setpgid:    true,            // signals come through us alone, once
	}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	released, release, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cmd.ExtraFiles = []*os.File{release}
	for range c.Listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			return 0, err
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := cmd.Start(); err != nil {
		return 0, explain(err)
	}
	release.Close()
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	if n, _ := released.Read(make([]byte, 1)); n == 1 {
		return 0, os.WriteFile(c.PIDFile, fmt.Appendln(nil, cmd.Process.Pid), 0o600)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// explain says what to do about a system that gives no namespaces.
func explain(err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("this system does not let an ordinary user make namespaces (%w); run it as root, or allow them with "+
			"sysctl -w kernel.unprivileged_userns_clone=1 (Debian) or kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)", err)
	}
	return err
}

// Listener returns the host's listener i, on the inside.
func Listener(i int) (net.Listener, error) {
	f := os.NewFile(uintptr(firstListenerFD+i), "listener")
	if f == nil {
		return nil, fmt.Errorf("sandbox: there is no listener %d", i)
	}
	defer f.Close()
	return net.FileListener(f)
}

// The death signal belongs to the main thread, on which Release must run.
func init() {
	if os.Getenv(env) != "" {
		runtime.LockOSThread()
	}
}

// Release lets the program outside end while this one, on the inside, goes on.
// From then on its output is thrown away; it ends by SIGTERM to the process in
// Config.PIDFile. It is for the main goroutine.
func Release() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, 0, 0); errno != 0 {
		return errno
	}
	for fd := range 3 { // whoever reads our output must see its end
		if err := syscall.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	release := os.NewFile(releaseFD, "release")
	defer release.Close()
	_, err = release.Write([]byte{1})
	return err
}
