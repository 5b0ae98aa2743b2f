package faults

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/signpost-acme/signpost/test/process"
)

// network is a network namespace of a replica's own, joined by a pair of virtual
// interfaces to the sandbox's, where everything else is.
type network struct {
	t       testing.TB
	handle  netns.NsHandle
	address string // the replica's
	link    string // the sandbox's end
}

// newNetwork makes one; number tells it from others, up to 250.
func newNetwork(t testing.TB, number int) *network {
	t.Helper()
	n := &network{t: t, address: fmt.Sprintf("198.18.%d.2", number), link: fmt.Sprintf("faults%d", number)}
	inside := n.link + "-in"
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := netns.Get()
	must(t, err)
	defer here.Close()
	n.handle, err = netns.New()
	must(t, err)
	t.Cleanup(func() { n.handle.Close() })
	must(t, netns.Set(here))
	attrs := netlink.NewLinkAttrs()
	attrs.Name = n.link
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: inside, PeerNamespace: netlink.NsFd(int(n.handle))}))
	must(t, up(n.link, fmt.Sprintf("198.18.%d.1/30", number)))
	must(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600)) // to other replicas
	// What comes over a way on which nothing may go back is dropped (RFC 3704):
	// so a cut is one in both directions.
	must(t, os.WriteFile("/proc/sys/net/ipv4/conf/"+n.link+"/rp_filter", []byte("1"), 0o600))
	must(t, netns.Set(n.handle))
	defer func() { must(t, netns.Set(here)) }()
	must(t, up("lo", ""))
	must(t, up(inside, n.address+"/30"))
	link, err := netlink.LinkByName(inside)
	must(t, err)
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.ParseIP(fmt.Sprintf("198.18.%d.1", number))}))
	return n
}

func up(name, address string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if address != "" {
		a, err := netlink.ParseAddr(address)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, a); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(link)
}

// start starts a process in the network.
func (n *network) start(p *process.Process) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := netns.Get()
	if err != nil {
		return err
	}
	defer here.Close()
	if err := netns.Set(n.handle); err != nil {
		return err
	}
	defer func() { must(n.t, netns.Set(here)) }()
	return p.Start(nil)
}

// cut loses, without a word, every packet between the replica and the address
// of somebody else.
func (n *network) cut(from string) { must(n.t, netlink.RuleAdd(n.rule(from))) }

// heal ends cut.
func (n *network) heal(from string) { must(n.t, netlink.RuleDel(n.rule(from))) }

func (n *network) rule(from string) *netlink.Rule {
	r := netlink.NewRule()
	r.Priority, r.Type = 100, 6 // RTN_BLACKHOLE
	r.Src = &net.IPNet{IP: net.ParseIP(from).To4(), Mask: net.CIDRMask(32, 32)}
	r.Dst = &net.IPNet{IP: net.ParseIP(n.address).To4(), Mask: net.CIDRMask(32, 32)}
	return r
}
