package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// kube says which cluster a command asks, with the user's own rights.
type kube struct{ kubeconfig, context string }

func (k *kube) addKubeFlags(fs *pflag.FlagSet) {
	fs.StringVar(&k.kubeconfig, "kubeconfig", "", "kubeconfig file (default: as kubectl)")
	fs.StringVar(&k.context, "context", "", "context in it (default: the current one)")
}

// connect reads the kubeconfig, as kubectl does. It asks nothing yet.
func (k *kube) connect() (*rest.Config, clientcmd.ClientConfig, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = k.kubeconfig
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: k.context})
	rest, err := config.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, nil, fmt.Errorf("no cluster is known: %s does not exist, or names none; give --kubeconfig, or set KUBECONFIG", strings.Join(rules.GetLoadingPrecedence(), " and "))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("no cluster is known: %w; give --kubeconfig, or set KUBECONFIG", err)
	}
	rest.Timeout = 10 * time.Second
	return rest, config, nil
}
