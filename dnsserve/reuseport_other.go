//go:build !linux

package dnsserve

import "syscall"

// reusePort is nil where sharing an address does not spread packets.
var reusePort func(network, address string, c syscall.RawConn) error
