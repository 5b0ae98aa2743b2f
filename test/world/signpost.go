package world

import (
	"context"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Namespace of signpost, and the name of its Service and ServiceAccount.
const signpost = "signpost"

// installSignpost registers the webhook with the API server and starts the
// replicas, with the rights that the chart grants.
func (w *World) installSignpost(ctx context.Context) error {
	kubeconfig, err := w.serviceAccount(ctx, signpost, signpost)
	if err != nil {
		return err
	}
	cert, key, err := w.RotateCertificate(time.Time{})
	if err != nil {
		return err
	}
	rights, err := RenderChart(w.chartDir(), signpost, signpost, "zone="+Zone, "/rbac.yaml")
	if err != nil {
		return err
	}
	gate, err := w.gate()
	if err != nil {
		return err
	}
	if err := w.Apply(ctx, w.registration()+ownerSecret()+"\n---\n"+rights+gate); err != nil {
		return err
	}
	var nameservers []string
	for _, ns := range w.nameservers() {
		nameservers = append(nameservers, "--nameserver", ns)
	}
	secondaries, err := w.secondaryFlags()
	if err != nil {
		return err
	}
	owners, err := w.ownerKeys()
	if err != nil {
		return err
	}
	w.serving = []string{"--tls-cert-file", cert, "--tls-private-key-file", key, "--secure-port", "8443", "--shutdown-delay", "500ms", "--private-addresses",
		"--kubeconfig", kubeconfig, "--authentication-kubeconfig", kubeconfig, "--authorization-kubeconfig", kubeconfig}
	for i := w.place.replica; i < w.place.replica+w.Options.Replicas; i++ {
		args := append([]string{"--zone", Zone,
			"--listen", ReplicaAddress(i) + ":53", "--listen", "[" + ReplicaAddress6(i) + "]:53",
			"--identity", fmt.Sprintf("signpost-%d", i), "--redis-url", "redis://" + RedisAddress + "/0",
			"--http-listen", ReplicaAddress(i) + ":8080", "--owner-listen", ReplicaAddress(i) + ":8090", "--owner-url", OwnerURL(i),
			"--owner-keys", owners, "--owner-company", "Example Hosting Ltd", "--owner-contact", "dns@hosting.example", "--bind-address", ReplicaAddress(i)}, slices.Concat(nameservers, secondaries, gateFlags())...)
		r := &Replica{Process: w.Serve(fmt.Sprintf("signpost-%d", i), args...), w: w, index: i}
		w.Replicas = append(w.Replicas, r)
		if err := w.start(r.Process); err != nil {
			return err
		}
	}
	for _, r := range w.Replicas {
		if err := r.ready(ctx); err != nil {
			return err
		}
	}
	if err := w.startSecondaries(ctx); err != nil {
		return err
	}
	if err := w.pods(ctx); err != nil {
		return err
	}
	if err := w.endpoints(ctx); err != nil {
		return err
	}
	return w.Condition(ctx, "apiregistration.k8s.io/v1", "APIService", "v1alpha1."+Zone, "Available")
}

// RotateCertificate writes another certificate, with another key, for the API port of
// the replicas, which ends then; zero for one that is valid for long. They read it at
// once, but connections that are there stay.
func (w *World) RotateCertificate(end time.Time) (certFile, keyFile string, err error) {
	return w.ca.issueUntil(end, signpost, pkix.Name{CommonName: signpost}, signpost+"."+signpost+".svc")
}

// nameservers are those of our zone that are replicas: every replica of the first
// cluster is one, unless there are secondaries.
func (w *World) nameservers() (list []string) {
	if w.first != nil {
		return w.first.nameservers()
	}
	if len(w.Options.Secondaries) > 0 {
		return nil
	}
	for i := range w.Options.Replicas {
		list = append(list, fmt.Sprintf("ns%d.%s=%s,%s", i+1, Zone, ReplicaAddress(i), ReplicaAddress6(i)))
	}
	return list
}

// registration is everything about the webhook but its rights and its endpoints.
func (w *World) registration() string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: signpost, namespace: signpost}
spec:
  ports: [{name: https, port: 443, targetPort: 8443}, {name: http, port: 8080}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata:
  name: v1alpha1.%[1]s
  annotations: {signpost.dev/zone: %[1]s, signpost.dev/nameservers: "%[3]s", signpost.dev/cluster-namespace: cert-manager,
    signpost.dev/status-service: "signpost/signpost:http", signpost.dev/owner-url: "%[4]s", signpost.dev/owner-keys: signpost/signpost-owner-keys}
spec:
  group: %[1]s
  version: v1alpha1
  groupPriorityMinimum: 1000
  versionPriority: 15
  caBundle: %[2]s
  service: {name: signpost, namespace: signpost, port: 443}
`, Zone, base64.StdEncoding.EncodeToString(w.ca.pem()), strings.Join(w.nameservers(), " "), OwnerURL(w.place.replica))
}

// OwnerURL returns the URL of the owner's page of replica i, counted from 0.
func OwnerURL(i int) string { return "http://" + ReplicaAddress(i) + ":8090" }

// ownerKey signs links to the owner's page.
const ownerKey = "a key that is for nothing but the sandbox"

// ownerKeys writes the directory with the keys of links to the owner's page.
func (w *World) ownerKeys() (dir string, err error) {
	dir = filepath.Join(w.Dir, "owner-keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "key-1"), []byte(ownerKey), 0o600); err != nil {
		return "", err
	}
	return dir, nil
}

// ownerSecret has the same key, for the command line.
func ownerSecret() string {
	return fmt.Sprintf(`
---
apiVersion: v1
kind: Secret
metadata: {name: signpost-owner-keys, namespace: signpost}
stringData: {key-1: %q}
`, ownerKey)
}

// pods stand for the replicas, with the addresses that a kubelet would report:
// the API server hands requests for a Service on to pods only.
func (w *World) pods(ctx context.Context) error {
	for _, r := range w.Replicas {
		err := w.Apply(ctx, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: signpost}
spec: {serviceAccountName: signpost, containers: [{name: signpost, image: signpost}]}
`, r.Name))
		if err != nil {
			return err
		}
		status := fmt.Appendf(nil, `{"status":{"phase":"Running","podIP":%[1]q,"podIPs":[{"ip":%[1]q}]}}`, ReplicaAddress(r.index))
		if _, err := w.Kube.CoreV1().Pods(signpost).Patch(ctx, r.Name, types.MergePatchType, status, metav1.PatchOptions{}, "status"); err != nil {
			return err
		}
	}
	return nil
}

// endpoints makes the Service point at the replicas that run, as the endpoint
// controllers would: aggregation goes by the slices, "kubectl proxy" and its like
// by the older kind.
func (w *World) endpoints(ctx context.Context) error {
	var list, older []string
	for _, r := range w.Replicas {
		if r.Running() {
			list = append(list, fmt.Sprintf("{addresses: [%s], conditions: {ready: true}}", ReplicaAddress(r.index)))
			older = append(older, fmt.Sprintf("{ip: %s, targetRef: {kind: Pod, namespace: signpost, name: %s}}", ReplicaAddress(r.index), r.Name))
		}
	}
	subsets := ""
	if len(older) > 0 {
		subsets = fmt.Sprintf("{addresses: [%s], ports: [{name: https, port: 8443}, {name: http, port: 8080}]}", strings.Join(older, ", "))
	}
	return w.Apply(ctx, fmt.Sprintf(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: signpost-1, namespace: signpost, labels: {kubernetes.io/service-name: signpost}}
addressType: IPv4
ports: [{name: https, port: 8443, protocol: TCP}, {name: http, port: 8080, protocol: TCP}]
endpoints: [%s]
---
apiVersion: v1
kind: Endpoints
metadata: {name: signpost, namespace: signpost}
subsets: [%s]
`, strings.Join(list, ", "), subsets))
}
