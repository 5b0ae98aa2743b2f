package server

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cert-manager/cert-manager/pkg/acme/webhook/apiserver"
	"github.com/cert-manager/cert-manager/pkg/acme/webhook/cmd/server"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/signpost-acme/signpost/internal/gate"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/solver"
)

// webhook is the aggregated API server in which cert-manager calls the solver.
type webhook struct {
	group   string
	options *server.WebhookServerOptions
	gate    *gate.Gate // nil for none
	serving atomic.Bool
}

func newWebhook() *webhook {
	w := &webhook{options: server.NewWebhookServerOptions("")}
	serving := w.options.RecommendedOptions.SecureServing
	serving.BindPort = 8443
	serving.ServerCert.CertDirectory = "" // without files, a certificate in memory: a pod's file system is read-only
	return w
}

// shownFlags are those of the API server's many flags that people need; the
// others work, but would bury the rest of the help.
var shownFlags = map[string]bool{
	"bind-address": true, "secure-port": true, "tls-cert-file": true, "tls-private-key-file": true,
	"kubeconfig": true, "authentication-kubeconfig": true, "authorization-kubeconfig": true,
}

func (w *webhook) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&w.group, "group-name", "", "API group of the webhook, as Issuers name it in groupName (default: the zone)")
	api := pflag.NewFlagSet("", pflag.ContinueOnError)
	o := w.options.RecommendedOptions
	o.SecureServing.AddFlags(api)
	o.Authentication.AddFlags(api)
	o.Authorization.AddFlags(api)
	o.CoreAPI.AddFlags(api)
	api.VisitAll(func(f *pflag.Flag) { f.Hidden = !shownFlags[f.Name] })
	fs.AddFlagSet(api)
}

// validate returns what is wrong with the webhook's settings.
func (w *webhook) validate(z *zone.Zone) (mistakes []string) {
	if w.group == "" && z != nil {
		w.group = z.Origin()
	}
	for _, problem := range validation.IsDNS1123Subdomain(w.group) {
		if w.group != "" {
			mistakes = append(mistakes, fmt.Sprintf("--group-name: %q: %s", w.group, problem))
		}
	}
	for _, err := range w.options.RecommendedOptions.Validate() {
		mistakes = append(mistakes, err.Error())
	}
	return mistakes
}

// listen binds the API's port.
func (w *webhook) listen() error {
	serving := w.options.RecommendedOptions.SecureServing
	address := net.JoinHostPort(serving.BindAddress.String(), strconv.Itoa(serving.BindPort))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("API port: %w; stop the program that has it, or choose another with --bind-address and --secure-port", err)
	}
	serving.Listener = listener
	return nil
}

// runner returns what serves the API until its context is done.
func (w *webhook) runner(s *solver.Solver, log *slog.Logger) func(context.Context) error {
	w.options.SolverGroup = w.group
	if w.gate != nil { // the API server calls an admission webhook without credentials
		authorization := w.options.RecommendedOptions.Authorization
		authorization.AlwaysAllowPaths = append(authorization.AlwaysAllowPaths, gate.Path)
	}
	w.options.Solvers = append(w.options.Solvers, s)
	return func(ctx context.Context) error {
		api, err := w.newServer(ctx, log)
		if err != nil || api == nil {
			return err
		}
		w.serving.Store(true)
		defer w.serving.Store(false)
		if err := api.GenericAPIServer.PrepareRun().RunWithContext(ctx); err != nil {
			return fmt.Errorf("webhook API: %w", err)
		}
		return nil
	}
}

// newServer makes the API server. It needs the cluster for that, and tries until
// the cluster is there, for DNS must be served meanwhile. It returns nil when ctx
// is done first.
func (w *webhook) newServer(ctx context.Context, log *slog.Logger) (*apiserver.ChallengeServer, error) {
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		config, err := w.options.Config()
		if err == nil {
			api, err := config.Complete().New()
			if err != nil {
				return nil, fmt.Errorf("webhook API: %w", err)
			}
			if w.gate != nil {
				api.GenericAPIServer.Handler.NonGoRestfulMux.Handle(gate.Path, w.gate)
			}
			return api, nil
		}
		log.Error("the webhook API cannot be set up yet; it is tried again, and DNS is served meanwhile", "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// checkCluster reports if it is not even known how to reach the cluster.
func (w *webhook) checkCluster() error {
	o := w.options.RecommendedOptions
	for _, k := range []struct{ flag, file string }{
		{"kubeconfig", o.CoreAPI.CoreAPIKubeconfigPath},
		{"authentication-kubeconfig", o.Authentication.RemoteKubeConfigFile},
		{"authorization-kubeconfig", o.Authorization.RemoteKubeConfigFile},
	} {
		var err error
		if k.file == "" {
			_, err = rest.InClusterConfig()
		} else {
			_, err = clientcmd.BuildConfigFromFlags("", k.file)
		}
		if err != nil {
			return fmt.Errorf("webhook API: --%s: %w; in a cluster this comes from the ServiceAccount, elsewhere give --kubeconfig, --authentication-kubeconfig and --authorization-kubeconfig", k.flag, err)
		}
	}
	return nil
}

// restConfig returns how to reach the cluster as the user that kubeconfig, or the
// pod's ServiceAccount, stands for.
func (w *webhook) restConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", w.options.RecommendedOptions.CoreAPI.CoreAPIKubeconfigPath)
	if err != nil {
		return nil, fmt.Errorf("webhook API: --kubeconfig: %w", err)
	}
	config.UserAgent = "signpost"
	config.QPS, config.Burst = 50, 100 // a thousand requests that wait each want an event once
	return config, nil
}

// expiry returns when the certificate of the API port expires, zero if there is
// none in a file. It is read from the file, where a renewal puts the next one.
func (w *webhook) expiry() time.Time {
	text, err := os.ReadFile(w.options.RecommendedOptions.SecureServing.ServerCert.CertKey.CertFile)
	if err != nil {
		return time.Time{}
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return time.Time{}
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return certificate.NotAfter
}

func (w *webhook) ready() error {
	if !w.serving.Load() {
		return errors.New("the webhook API is not serving yet")
	}
	return nil
}
