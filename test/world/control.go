package world

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/signpost-acme/signpost/test/process"
)

// APIURL is where the API server is.
const APIURL = "https://" + APIAddress + ":6443"

func (w *World) apiURL() string { return "https://" + w.place.api + ":6443" }

// serviceNetwork is where Services have their addresses, the API server the first one.
const serviceNetwork = "10.96.0."

// startControlPlane starts etcd and kube-apiserver and makes the admin's clients.
func (w *World) startControlPlane(ctx context.Context) error {
	client, peer := fmt.Sprintf("127.0.0.1:%d", w.place.etcd), fmt.Sprintf("http://127.0.0.1:%d", w.place.etcd+1)
	etcd := w.process("etcd", w.tool("etcd"), "--data-dir", filepath.Join(w.Dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", "http://"+client, "--advertise-client-urls", "http://"+client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--initial-cluster", "default="+peer, "--log-level", "warn")
	if err := w.start(etcd); err != nil {
		return err
	}
	if err := etcd.Listens(ctx, client); err != nil {
		return err
	}
	args, err := w.apiServerFlags("http://" + client)
	if err != nil {
		return err
	}
	w.api = w.process("kube-apiserver", w.tool("kube-apiserver"), args...)
	if err := w.start(w.api); err != nil {
		return err
	}
	cert, key, err := w.ca.issue("admin", pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}})
	if err != nil {
		return err
	}
	w.Kubeconfig, err = w.writeKubeconfig("admin", w.apiURL(), clientcmdapi.AuthInfo{ClientCertificate: cert, ClientKey: key})
	if err != nil {
		return err
	}
	if err := w.apiReady(ctx); err != nil {
		return err
	}
	return w.connect()
}

// apiReady waits until the API server says that it is ready.
func (w *World) apiReady(ctx context.Context) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.Dir, "admin.crt"), filepath.Join(w.Dir, "admin.key"))
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.ca.pool(), Certificates: []tls.Certificate{pair}}}}
	return w.api.Until(ctx, "get ready", process.Healthy(client, w.apiURL()+"/readyz"))
}

// apiServerFlags makes the keys that the API server needs, and its command line.
func (w *World) apiServerFlags(etcd string) ([]string, error) {
	frontProxy, err := newAuthority(w.Dir, "front-proxy-ca")
	if err != nil {
		return nil, err
	}
	proxyCert, proxyKey, err := frontProxy.issue("front-proxy", pkix.Name{CommonName: "front-proxy"})
	if err != nil {
		return nil, err
	}
	cert, key, err := w.ca.issue("kube-apiserver", pkix.Name{CommonName: "kube-apiserver"}, w.place.api, "127.0.0.1", "localhost", "kubernetes.default.svc", serviceNetwork+"1")
	if err != nil {
		return nil, err
	}
	account, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	accountKey, err := writeKey(w.Dir, "service-account", account)
	if err != nil {
		return nil, err
	}
	flags := []string{
		"--etcd-servers=" + etcd, "--bind-address=" + w.place.api, "--advertise-address=" + w.place.api, "--secure-port=6443",
		"--tls-cert-file=" + cert, "--tls-private-key-file=" + key, "--client-ca-file=" + w.ca.certFile(),
		"--service-account-issuer=" + w.apiURL(), "--service-account-key-file=" + accountKey, "--service-account-signing-key-file=" + accountKey,
		"--service-cluster-ip-range=" + serviceNetwork + "0/16", "--authorization-mode=Node,RBAC",
		"--enable-aggregator-routing=true", "--requestheader-client-ca-file=" + frontProxy.certFile(), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + proxyCert, "--proxy-client-key-file=" + proxyKey,
	}
	if !w.Node {
		return append(flags, "--endpoint-reconciler-type=none"), nil
	}
	cert, key, err = w.ca.issue("kubelet-client", pkix.Name{CommonName: "kube-apiserver", Organization: []string{"system:masters"}})
	return append(flags, "--kubelet-client-certificate="+cert, "--kubelet-client-key="+key, "--kubelet-preferred-address-types=InternalIP"), err
}

// writeKubeconfig writes a kubeconfig and returns its path.
func (w *World) writeKubeconfig(name, server string, user clientcmdapi.AuthInfo) (string, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters["sandbox"] = &clientcmdapi.Cluster{Server: server, CertificateAuthority: w.ca.certFile()}
	config.AuthInfos[name] = &user
	config.Contexts["sandbox"] = &clientcmdapi.Context{Cluster: "sandbox", AuthInfo: name}
	config.CurrentContext = "sandbox"
	file := filepath.Join(w.Dir, name+".kubeconfig")
	return file, clientcmd.WriteToFile(*config, file)
}

// WriteHostKubeconfig writes an admin's kubeconfig for an API server that is
// reached at another address, and returns its path.
func (w *World) WriteHostKubeconfig(server string) (string, error) {
	return w.writeKubeconfig("host", server, clientcmdapi.AuthInfo{
		ClientCertificate: filepath.Join(w.Dir, "admin.crt"), ClientKey: filepath.Join(w.Dir, "admin.key"),
	})
}

// serviceAccount makes a ServiceAccount, where it is not there yet, and returns a kubeconfig with its token.
func (w *World) serviceAccount(ctx context.Context, namespace, name string) (string, error) {
	if err := w.Namespace(ctx, namespace); err != nil {
		return "", err
	}
	accounts := w.Kube.CoreV1().ServiceAccounts(namespace)
	_, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return "", err
	}
	day := int64((24 * time.Hour).Seconds())
	token, err := accounts.CreateToken(ctx, name, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return w.writeKubeconfig(name, w.apiURL(), clientcmdapi.AuthInfo{Token: token.Status.Token})
}

// Namespace makes a namespace, where it is not there yet.
func (w *World) Namespace(ctx context.Context, name string) error {
	_, err := w.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// Kubectl runs kubectl as admin and returns what it prints. It is for tests: the
// demo does without kubectl, which takes long to build.
func (w *World) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, w.tool("kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.Kubeconfig)
	cmd.Stdin = bytes.NewBufferString(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %v: %w: %s", args, err, stderr.String())
	}
	return string(out), nil
}
