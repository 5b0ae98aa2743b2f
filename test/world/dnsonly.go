package world

import (
	"context"
	"errors"
	"fmt"

	"github.com/signpost-acme/signpost/test/process"
)

// StartDNS starts the DNS alone, without Kubernetes and without a CA: Redis, the
// nameservers above our zone, the resolver, and replicas that are signpost dns.
func StartDNS(ctx context.Context, o Options) (w *World, err error) {
	w = &World{Options: o}
	defer func() {
		if err != nil {
			w.Stop()
		}
	}()
	var paths [3]string
	for i, name := range []string{"nsd", "unbound", "redis-server"} {
		if paths[i], err = process.Look(name); err != nil {
			return w, err
		}
	}
	if w.Parent, err = newParent(ctx, w.Dir, paths[0], o); err != nil {
		return w, err
	}
	resolver, err := newResolver(w.Dir, paths[1])
	if err != nil {
		return w, err
	}
	w.Redis = newRedis(w.Dir, paths[2])
	for _, p := range []*process.Process{w.Parent.Process, resolver, w.Redis.Process} {
		if err := w.start(p); err != nil {
			return w, err
		}
	}
	for i := range o.Replicas {
		args := []string{"dns", "--zone", Zone, "--listen", ReplicaAddress(i) + ":53", "--listen", "[" + ReplicaAddress6(i) + "]:53",
			"--identity", fmt.Sprintf("signpost-%d", i), "--redis-url", "redis://" + RedisAddress + "/0",
			"--http-listen", ReplicaAddress(i) + ":8080", "--shutdown-delay", "0s"}
		for _, ns := range w.nameservers() {
			args = append(args, "--nameserver", ns)
		}
		r := &Replica{Process: w.process(fmt.Sprintf("signpost-%d", i), w.tool(signpost), args...), w: w, index: i}
		w.Replicas = append(w.Replicas, r)
		if err := w.start(r.Process); err != nil {
			return w, err
		}
	}
	err = errors.Join(w.Parent.Listens(ctx, ParentAddress+":53"), resolver.Listens(ctx, ResolverAddress+":53"), w.Redis.Listens(ctx, RedisAddress))
	for _, r := range w.Replicas {
		err = errors.Join(err, r.ready(ctx))
	}
	return w, errors.Join(err, w.Err())
}
