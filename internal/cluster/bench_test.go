package cluster

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// All requests (a fake takes no more than these) are gone through after every change, up to fifty times a
// second: see gate.Watcher.
func BenchmarkRequests(b *testing.B) {
	for name, strict := range map[string]bool{"strict": true, "lenient": false} {
		b.Run(name, func(b *testing.B) {
			objects := []runtime.Object{clusterIssuer("strict", uriA, ours(""))}
			for i := range 90 {
				objects = append(objects, issuerIn(fmt.Sprint("n", i), "i", fmt.Sprint("https://ca.example/acct/n", i), http01()))
			}
			for i := range 90 {
				r := aRequest(fmt.Sprint("r", i), csr(b, "", nil, fmt.Sprintf("n%d.example.com", i)))
				r.Spec.IssuerRef.Kind, r.Spec.IssuerRef.Name, r.UID, r.ResourceVersion = "ClusterIssuer", "strict", types.UID(fmt.Sprint(i)), fmt.Sprint(i+1)
				objects = append(objects, r)
			}
			w := newWorld(b, func(c *Config) { c.Strict, c.Protected = strict, protect("ClusterIssuer/strict") }, objects...)
			if len(w.Requests()) != 90 {
				b.Fatal("not all are there")
			}
			for b.Loop() {
				w.Requests()
			}
		})
	}
}
