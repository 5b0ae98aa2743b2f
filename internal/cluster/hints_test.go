package cluster

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

// What the server says about an API server that it does not reach has no flags in it
// that only commands have.
func TestServerHintsAtNoFlagsOfCommands(t *testing.T) {
	w := newWorld(t, nil)
	w.kube.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no route") })
	_, _, err := w.ServiceAddresses(t.Context(), "dns", "signpost")
	if err == nil {
		t.Fatal("an error is lost")
	}
	for _, text := range []string{err.Error(), w.GateConfiguration(t.Context(), "signpost")} {
		if strings.Contains(text, "--context") || strings.Contains(text, "--kubeconfig") || !strings.Contains(text, "no route") {
			t.Errorf("it says %q", text)
		}
	}
}
