package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/signpost-acme/signpost/internal/poll"
)

// setUp makes the new namespaces what Config says.
func setUp(c Config) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	// The new process tree. Where the kernel refuses, in some containers, the old
	// one shows other numbers, which nothing here depends on.
	_ = syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "")
	if err := setResolver(c.Resolver); err != nil {
		return fmt.Errorf("resolv.conf: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	for _, text := range c.Addresses {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		a.Flags = syscall.IFA_F_NODAD // usable at once
		if err := netlink.AddrAdd(lo, a); err != nil {
			return fmt.Errorf("address %s: %w", text, err)
		}
	}
	if err := settle(lo); err != nil {
		return err
	}
	everywhere := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	// Kubernetes looks for the default route to find out who it is.
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: everywhere}); err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	return nil
}

// settle waits until every address can be used: the kernel sets up IPv6 ones in
// its own time.
func settle(link netlink.Link) error {
	return poll.Try(context.Background(), 5*time.Second, "the IPv6 addresses can be used", func() error {
		addrs, err := netlink.AddrList(link, netlink.FAMILY_V6)
		if err == nil && slices.ContainsFunc(addrs, func(a netlink.Addr) bool { return a.Flags&syscall.IFA_F_TENTATIVE != 0 }) {
			err = errors.New("one is tentative")
		}
		return err
	})
}

func setResolver(server string) error {
	if server == "" {
		return nil
	}
	path, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("/etc/resolv.conf does not exist; create it (empty will do)")
	}
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "resolv.conf-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // the mount keeps it
	if _, err := fmt.Fprintf(f, "nameserver %s\n", server); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return syscall.Mount(f.Name(), path, "", syscall.MS_BIND, "")
}
