// Package world is a small Internet with a Kubernetes control plane in it, of
// real programs: etcd, kube-apiserver, cert-manager's controllers, Pebble as the
// CA, NSD as root, com and the domains, Unbound as the resolver of them all,
// Redis, and replicas of signpost. It lives in a sandbox, at fixed addresses.
package world

import (
	"fmt"

	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/test/sandbox"
)

// Addresses in the sandbox, from the ranges for documentation (RFC 5737, RFC 3849).
const (
	ResolverAddress = "192.0.2.1" // Unbound
	ParentAddress   = "192.0.2.2" // NSD: everything above and beside our zone
	CAAddress       = "192.0.2.3" // Pebble
	APIAddress      = "192.0.2.4" // kube-apiserver
	KnotAddress     = "192.0.2.5" // Knot, where StartKnot is called
	RedisAddress    = "192.0.2.6:6379"

	NodeAddress       = "192.0.2.7" // the node, where Options.Node is set
	ClusterDNSAddress = "192.0.2.8" // CoreDNS, for the pods of the node

	secondAPIAddress = "192.0.2.9" // kube-apiserver of the second cluster, where Second is called

	// BalancerAddress is what load balancers get: an address outside of the node.
	BalancerAddress = "198.51.100.53"

	parentAddress6 = "2001:db8::2"
	maxReplicas    = 4
)

// Zone is the zone that signpost serves.
const Zone = "acme.example.com"

// Target returns what the CNAME of a domain must lead to, for the Issuers of a
// namespace. For a ClusterIssuer that is CertManagerNamespace.
func Target(scope, domain string) (string, error) {
	z, err := zone.New(Zone)
	if err != nil {
		return "", err
	}
	target, err := z.Target(scope, domain)
	return target.Name, err
}

// ReplicaAddress returns the IPv4 address of replica i, counted from 0.
func ReplicaAddress(i int) string { return fmt.Sprintf("192.0.2.%d", 11+i) }

// ReplicaAddress6 returns its IPv6 address.
func ReplicaAddress6(i int) string { return fmt.Sprintf("2001:db8::%d", 11+i) }

// Sandbox returns the sandbox that a world needs.
func Sandbox() sandbox.Config {
	c := sandbox.Config{
		Resolver:  ResolverAddress,
		Addresses: []string{parentAddress6 + "/128"},
	}
	for i := 1; i <= 9; i++ {
		c.Addresses = append(c.Addresses, fmt.Sprintf("192.0.2.%d/32", i))
	}
	for i := range maxReplicas {
		c.Addresses = append(c.Addresses, ReplicaAddress(i)+"/32", ReplicaAddress6(i)+"/128")
	}
	for i := range maxSecondaries {
		c.Addresses = append(c.Addresses, SecondaryAddress(i)+"/32")
	}
	return c
}
