package cluster

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

// balance is the cloud: it gives load balancers their address, until the cluster
// is stopped. The node does the rest: packets to the address end at a pod.
func (c *Cluster) balance() {
	for ctx := context.Background(); ; time.Sleep(200 * time.Millisecond) {
		services, err := c.Kube.CoreV1().Services("").List(ctx, metav1.ListOptions{})
		if err != nil {
			continue // not up yet, or not any more
		}
		for _, s := range services.Items {
			if s.Spec.Type != corev1.ServiceTypeLoadBalancer || len(s.Status.LoadBalancer.Ingress) > 0 {
				continue
			}
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: world.BalancerAddress}}
			_, _ = c.Kube.CoreV1().Services(s.Namespace).UpdateStatus(ctx, &s, metav1.UpdateOptions{})
		}
	}
}
