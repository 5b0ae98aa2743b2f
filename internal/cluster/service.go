package cluster

import (
	"context"
	"fmt"
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServiceAddresses returns where a Service can be reached from outside: IP
// addresses, and host names of load balancers that have no fixed address. Both
// are empty as long as it has none.
func (x *Cluster) ServiceAddresses(ctx context.Context, namespace, name string) (addresses []netip.Addr, hosts []string, err error) {
	s, err := x.kube.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the Service %s/%s: %w", namespace, name, err)
	}
	texts := s.Spec.ExternalIPs
	for _, i := range s.Status.LoadBalancer.Ingress {
		texts = append(texts, i.IP)
		if i.Hostname != "" {
			hosts = append(hosts, i.Hostname)
		}
	}
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			addresses = append(addresses, a.Unmap())
		}
	}
	return addresses, hosts, nil
}
