package release

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/cli"
	helmregistry "helm.sh/helm/v3/pkg/registry"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/cluster"
	"github.com/signpost-acme/signpost/test/world"
)

const replicas = "app.kubernetes.io/name=signpost,app.kubernetes.io/component=server"

func helm(t *testing.T) *cluster.Helm {
	t.Helper()
	h, err := c.Helm(cluster.Namespace)
	must(t, err)
	return h
}

// pull is what Helm does with oci://…/signpost --version: it returns the chart's file.
func pull(t *testing.T) string {
	t.Helper()
	t.Setenv("HELM_CACHE_HOME", t.TempDir())
	client, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP(), helmregistry.ClientOptCredentialsFile(filepath.Join(t.TempDir(), "none.json")))
	must(t, err)
	install := action.NewInstall(&action.Configuration{RegistryClient: client})
	install.SetRegistryClient(client)
	install.Version, install.PlainHTTP = made.Version, true
	name := made.Chart.Name[strings.Index(made.Chart.Name, "signpost-acme/"):strings.LastIndex(made.Chart.Name, ":")] // without the host
	file, err := install.LocateChart("oci://"+registryAddress+"/"+name, cli.New())
	must(t, err)
	return file
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), "", args...)
	must(t, err)
	return out
}

// setCNAMEs does what the owners of domains do, at once: each change makes the
// nameserver read everything again.
func setCNAMEs(t *testing.T, names ...string) {
	t.Helper()
	var records strings.Builder
	for _, name := range names {
		domain := name + ".example.com"
		target, err := world.Target(world.CertManagerNamespace, domain)
		must(t, err)
		fmt.Fprintf(&records, "_acme-challenge.%s. CNAME %s.\n", domain, target)
	}
	must(t, c.Parent.Set(t.Context(), "example.com", names[0], records.String()))
}

// numbered are names.
func numbered(name string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("%s-%d", name, i))
	}
	return names
}

const mostBoth = 30 // certificates that are asked for while there are both versions

func create(t *testing.T, name string) {
	t.Helper()
	must(t, c.CreateCertificate(t.Context(), "default", name, "ClusterIssuer", "signpost", "*."+name+".example.com"))
}

func waitReady(t *testing.T, names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, name := range names {
		if _, err := c.WaitReady(ctx, "default", name); err != nil {
			t.Fatal(err)
		}
	}
}

func installBefore(t *testing.T) {
	must(t, c.Restricted(t.Context(), cluster.Namespace))
	chart := filepath.Join(root, ".cache", "previous", "chart")
	values := c.Values(map[string]any{"image": map[string]any{"tag": "before"}})
	delete(values, "privateAddresses") // which it did not have, and refuses
	_, err := helm(t).Install(t.Context(), cluster.Release, chart, values)
	must(t, err)
	must(t, c.Delegate(t.Context()))
	setCNAMEs(t, append([]string{"before", "anew"}, append(numbered("flight", 4), numbered("both", mostBoth)...)...)...)
	create(t, "before")
	waitReady(t, "before")
}

// upgrade goes from the release before to this one while challenges wait, and
// stops half-way, where replicas of both have to work together.
func upgrade(t *testing.T) {
	chart := pull(t)
	create(t, "waits") // its CNAME comes when both are there
	names := []string{"waits", "waits-on"}
	create(t, "waits-on") // … and its when only the new ones are
	for _, name := range numbered("flight", 4) {
		create(t, name)
		names = append(names, name)
	}
	// The release before does not know the gate, and the API server keeps its
	// connection to one replica: docs/install.md has the gate come second.
	without := c.Values(map[string]any{"orderGate": map[string]any{"enabled": false}})
	must(t, helm(t).BeginUpgrade(t.Context(), cluster.Release, chart, without))
	kubectl(t, "rollout", "pause", "deployment/signpost", "-n", cluster.Namespace)
	eventually(t, "a Ready replica of each version", func() bool {
		ready := kubectl(t, "get", "pods", "-n", cluster.Namespace, "-l", replicas, "-o",
			`jsonpath={range .items[*]}{.spec.containers[0].image} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
		lines := strings.Split(strings.TrimSpace(ready), "\n")
		has := func(part string) bool {
			return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, part) && strings.HasSuffix(l, " True") })
		}
		return len(lines) == 3 && has(":before") && has(made.Image.Digest)
	})
	// The CA of the sandbox asks the same resolver as the cluster, which keeps a
	// SERVFAIL for 5 s: nobody may ask while the new Valkey is not there yet.
	kubectl(t, "rollout", "status", "deployment/signpost-valkey", "-n", cluster.Namespace, "--timeout=60s")
	eventually(t, "every replica is Ready", func() bool {
		return strings.Count(kubectl(t, "get", "pods", "-n", cluster.Namespace, "-l", replicas, "-o",
			`jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`), "True") == 3
	})
	setCNAMEs(t, "waits")
	waitReady(t, slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "waits-on" })...)
	// Until a replica of each has been called for a challenge that both had to answer.
	for i := 0; !called(t, ":before") || !called(t, made.Image.Digest); i++ {
		if i == mostBoth {
			t.Fatalf("of %d challenges, replicas of one version have been called for none", mostBoth)
		}
		name := fmt.Sprintf("both-%d", i)
		create(t, name)
		waitReady(t, name)
		names = append(names, name)
	}
	kubectl(t, "rollout", "resume", "deployment/signpost", "-n", cluster.Namespace)
	kubectl(t, "rollout", "status", "deployment/signpost", "-n", cluster.Namespace, "--timeout=120s")
	must(t, helm(t).Upgrade(t.Context(), cluster.Release, chart, c.Values(map[string]any{"orderGate": map[string]any{"enabled": true}})))
	kubectl(t, "rollout", "status", "deployment/signpost", "-n", cluster.Namespace, "--timeout=120s")
	setCNAMEs(t, "waits-on")
	waitReady(t, names...)
}

// called says whether a replica whose image ends so was called for a challenge
// while there were both versions.
func called(t *testing.T, image string) bool {
	t.Helper()
	pods := kubectl(t, "get", "pods", "-n", cluster.Namespace, "-l", replicas, "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.spec.containers[0].image}{"\n"}{end}`)
	for line := range strings.Lines(pods) {
		pod, of, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasSuffix(of, image) && strings.Contains(kubectl(t, "logs", "-n", cluster.Namespace, pod), "domain=both-") {
			return true
		}
	}
	return false
}

// runsWhatWasReleased: the kubelet has pulled, by digest, from the registry.
func runsWhatWasReleased(t *testing.T) {
	eventually(t, "two replicas", func() bool { return len(running(t)) == 2 })
	for _, id := range running(t) {
		if !strings.HasSuffix(id, "@"+made.Image.Digest) {
			t.Errorf("a replica runs %s, want %s", id, made.Image.Digest)
		}
	}
	log := registry.Output()
	for _, pulled := range []string{"signpost-acme/signpost/manifests/" + made.Image.Digest + " containerd/", "valkey/valkey/manifests/"} {
		if !strings.Contains(log, pulled) {
			t.Errorf("nobody has asked the registry for %s", pulled)
		}
	}
}

// running are the images that the replicas run, as containerd names them.
func running(t *testing.T) []string {
	t.Helper()
	return strings.Fields(kubectl(t, "get", "pods", "-n", cluster.Namespace, "-l", replicas, "-o", "jsonpath={.items[*].status.containerStatuses[*].imageID}"))
}

// installAnew is what README.md says first.
func installAnew(t *testing.T) {
	must(t, helm(t).Uninstall(cluster.Release))
	begin := time.Now()
	_, err := helm(t).Install(t.Context(), cluster.Release, pull(t), c.Values(nil))
	must(t, err)
	installed := time.Since(begin)
	create(t, "anew")
	waitReady(t, "anew")
	t.Logf("installed and Ready after %.1f s, a certificate after %.1f s", installed.Seconds(), time.Since(begin).Seconds())
	runsWhatWasReleased(t)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll.True(t, 90*time.Second, what, ok)
}
