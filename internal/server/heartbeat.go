package server

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/signpost-acme/signpost/internal/store"
)

// askedInterval is how often other replicas hear what this one was asked.
const askedInterval = time.Second

// announce announces this DNS server in the store, from the moment that the copy
// has been read in full until ctx is done.
func (r *replica) announce(ctx context.Context) {
	ticker := time.NewTicker(store.HeartbeatInterval)
	defer ticker.Stop()
	for {
		pause := ticker.C
		if !r.copy.Synced() { // soon after the first full read
			pause = time.After(20 * time.Millisecond)
		} else if err := r.store.Announce(ctx, r.address); err == nil && r.announced.CompareAndSwap(false, true) { // a failure is already logged by the store
			r.log.Info("announced to the other replicas", "address", r.address, "names", r.copy.Len())
		}
		select {
		case <-pause:
		case <-ctx.Done():
			if r.announced.Load() {
				_ = r.store.Withdraw(context.WithoutCancel(ctx), r.address) // best effort: else the heartbeat expires
			}
			return
		}
	}
}

// reportAsked hands on, every second, who has asked for which challenge, until
// ctx is done. It is for people to look at, and best effort.
func (r *replica) reportAsked(ctx context.Context) {
	ticker := time.NewTicker(askedInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for id, counts := range r.copy.TakeAsked() {
			if err := r.store.AddAsked(ctx, id, counts); err != nil {
				break // already logged by the store
			}
		}
	}
}

// advertised returns the address at which other replicas reach a DNS server that
// is bound to these: the first that is not loopback, where one bound to all
// addresses stands for those of this machine.
func advertised(bound []netip.AddrPort) netip.AddrPort {
	for _, b := range bound {
		if !b.Addr().IsUnspecified() {
			if !b.Addr().IsLoopback() {
				return b
			}
			continue
		}
		addrs, _ := net.InterfaceAddrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap().Is4() == b.Addr().Is4() {
					return netip.AddrPortFrom(ip.Unmap(), b.Port())
				}
			}
		}
	}
	switch first := bound[0]; {
	case !first.Addr().IsUnspecified():
		return first
	case first.Addr().Is4():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), first.Port())
	default:
		return netip.AddrPortFrom(netip.IPv6Loopback(), first.Port())
	}
}
