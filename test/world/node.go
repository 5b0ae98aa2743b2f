package world

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/process"

	"golang.org/x/sys/unix"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	nodeName   = "node"
	podNetwork = "10.244.0.0/16"
)

// node is one Kubernetes node, of containerd, runc, the kubelet and kube-proxy,
// with the controllers and the DNS server that every cluster has.
type node struct {
	dir        string // short: the paths of sockets are
	containerd *process.Process
	cgroups    []string // ours, in each hierarchy
}

func (n *node) socket() string { return filepath.Join(n.dir, "containerd.sock") }

// startNode starts the node and waits until it is Ready.
func (w *World) startNode(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("a real node needs root: containers need cgroups and devices")
	}
	dir, err := os.MkdirTemp("", "node-")
	if err != nil {
		return err
	}
	w.node = &node{dir: dir}
	if err := errors.Join(w.node.makeCgroups(), routePods()); err != nil {
		return err
	}
	if err := w.startContainerd(ctx); err != nil {
		return err
	}
	if err := w.importPause(ctx); err != nil {
		return err
	}
	if err := w.startClusterDNS(ctx); err != nil {
		return err
	}
	for _, start := range []func() error{w.startControllers, w.startKubelet, w.startProxy} {
		if err := start(); err != nil {
			return err
		}
	}
	return errors.Join(w.Condition(ctx, "v1", "Node", nodeName, "Ready"), w.Err())
}

// routePods lets the node hand packets on between its pods.
func routePods() error {
	// What kubelets and containers mount must be seen by each other, and by nobody else.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts: %w", err)
	}
	return errors.Join(
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644),
		os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0o644))
}

// makeCgroups makes a cgroup for the pods in every hierarchy.
func (n *node) makeCgroups() error {
	roots := []string{"/sys/fs/cgroup"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil { // version 1
		roots = nil
		for _, c := range []string{"blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "net_cls", "perf_event", "pids", "systemd", "unified"} {
			if dir := filepath.Join("/sys/fs/cgroup", c); unix.Access(dir, unix.W_OK) == nil {
				roots = append(roots, dir)
			}
		}
	}
	for _, root := range roots {
		dir := filepath.Join(root, filepath.Base(n.dir))
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) { // cpu and cpuacct may be one
			return err
		}
		n.cgroups = append(n.cgroups, dir)
	}
	return nil
}

// remove takes away what outlives the processes. Everything in the cgroups is
// dead by then, or dies with the sandbox.
func (n *node) remove() {
	for _, root := range n.cgroups {
		var dirs []string
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			procs, _ := os.ReadFile(filepath.Join(dirs[i], "cgroup.procs"))
			for _, pid := range strings.Fields(string(procs)) {
				var n int
				if _, err := fmt.Sscan(pid, &n); err == nil && n > 1 {
					_ = syscall.Kill(n, syscall.SIGKILL)
				}
			}
			_ = poll.Try(context.Background(), 2*time.Second, "the cgroup is empty", func() error {
				if err := os.Remove(dirs[i]); errors.Is(err, syscall.EBUSY) {
					return err
				}
				return nil
			})
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], n.dir) {
			_ = unix.Unmount(f[1], unix.MNT_DETACH)
		}
	}
	_ = os.RemoveAll(n.dir)
}

// startContainerd starts containerd, with pods in a network of their own: each
// has a link to the node, which routes between them.
func (w *World) startContainerd(ctx context.Context) error {
	bin, err := process.Look("containerd")
	if err != nil {
		return err
	}
	dir := w.node.dir
	files := map[string]string{
		"containerd.toml": fmt.Sprintf(`version = 2
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "%[2]s"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[3]s"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "%[4]s"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "%[1]s/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`, dir, w.node.socket(), pauseImage, w.node.certs()),
		"cni/pods.conflist": fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "dataDir": "%s/ipam", "ranges": [[{"subnet": "%s"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
`, dir, podNetwork),
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			return err
		}
	}
	w.node.containerd = w.process("containerd", bin, "--config", filepath.Join(dir, "containerd.toml"))
	if err := w.start(w.node.containerd); err != nil {
		return err
	}
	return w.node.containerd.Until(ctx, "answer", func(ctx context.Context) error { return w.ctr(ctx, nil, "version") })
}

// ctr runs containerd's client.
func (w *World) ctr(ctx context.Context, stdin []byte, args ...string) error {
	cmd := exec.CommandContext(ctx, "ctr", append([]string{"--address", w.node.socket(), "--namespace", "k8s.io"}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// startKubelet starts the kubelet.
func (w *World) startKubelet() error {
	kubeconfig, err := w.component("kubelet", "system:node:"+nodeName, "system:nodes")
	if err != nil {
		return err
	}
	config := filepath.Join(w.node.dir, "kubelet.yaml")
	err = os.WriteFile(config, []byte(fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[2]s}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /%[3]s
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
clusterDNS: [%[4]s]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix://%[5]s
podLogsDir: %[6]s/pods
evictionHard: {memory.available: 1Mi}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 1s
syncFrequency: 5s
`, NodeAddress, w.ca.certFile(), filepath.Base(w.node.dir), ClusterDNSAddress, w.node.socket(), w.node.dir)), 0o600)
	if err != nil {
		return err
	}
	return w.start(w.process("kubelet", w.tool("kubelet"), "--config", config, "--kubeconfig", kubeconfig,
		"--root-dir", filepath.Join(w.node.dir, "kubelet"), "--hostname-override", nodeName, "--node-ip", NodeAddress))
}

// startProxy starts what makes Services work.
func (w *World) startProxy() error {
	kubeconfig, err := w.component("kube-proxy", "system:kube-proxy")
	if err != nil {
		return err
	}
	return w.start(w.process("kube-proxy", w.tool("kube-proxy"), "--kubeconfig", kubeconfig, "--hostname-override", nodeName,
		"--proxy-mode=nftables", "--cluster-cidr="+podNetwork, "--oom-score-adj=0", "--conntrack-max-per-core=0",
		"--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"))
}

// startControllers starts the scheduler and what makes pods of Deployments.
func (w *World) startControllers() error {
	scheduler, err := w.component("kube-scheduler", "system:kube-scheduler")
	if err != nil {
		return err
	}
	manager, err := w.component("kube-controller-manager", "system:kube-controller-manager")
	if err != nil {
		return err
	}
	return errors.Join(
		w.start(w.process("kube-scheduler", w.tool("kube-scheduler"), "--kubeconfig", scheduler, "--leader-elect=false",
			"--authentication-kubeconfig", scheduler, "--authorization-kubeconfig", scheduler)),
		w.start(w.process("kube-controller-manager", w.tool("kube-controller-manager"), "--kubeconfig", manager, "--leader-elect=false",
			"--authentication-kubeconfig", manager, "--authorization-kubeconfig", manager, "--use-service-account-credentials",
			"--service-account-private-key-file", filepath.Join(w.Dir, "service-account.key"), "--root-ca-file", w.ca.certFile())))
}

// component returns a kubeconfig for a part of Kubernetes with that user name.
func (w *World) component(name, user string, groups ...string) (string, error) {
	cert, key, err := w.ca.issue(name, pkix.Name{CommonName: user, Organization: groups})
	if err != nil {
		return "", err
	}
	return w.writeKubeconfig(name, APIURL, clientcmdapi.AuthInfo{ClientCertificate: cert, ClientKey: key})
}
