//go:build !linux

package sandbox

import (
	"errors"
	"net"
)

func outside(Config) (int, error)        { return 1, errUnsupported }
func setUp(Config) error                 { return errUnsupported }
func Listener(int) (net.Listener, error) { return nil, errUnsupported }
func Release() error                     { return errUnsupported }

// errUnsupported is what people see where there are no namespaces.
var errUnsupported = errors.New("this needs Linux namespaces (unshare); elsewhere, run it in a privileged Linux container with Go in it: " +
	"docker run --rm -it --privileged -v \"$PWD\":/src -w /src golang:1.26 make demo")
