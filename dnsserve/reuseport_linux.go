package dnsserve

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// reusePort lets several sockets share an address; the kernel then spreads
// packets over them by their source.
var reusePort = func(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); e != nil {
		return e
	}
	return err
}
