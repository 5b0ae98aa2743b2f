package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The gate goes before the challenges are ended; one that is gone already is no
// mistake, one that stays stops everything.
func TestEndChallenges(t *testing.T) {
	const gate, challenges = "DELETE /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/signpost-order-gate", "GET /apis/acme.cert-manager.io/v1/challenges"
	for _, c := range []struct {
		name             string
		args             []string
		gate, challenges int // what the API server answers
		code             int
		want             []string
		says             string
	}{
		{"both", []string{"--gate-configuration", "signpost-order-gate"}, 200, 200, 0, []string{gate, challenges}, "the order gate signpost-order-gate is removed\n0 challenges ended"},
		{"gone already", []string{"--gate-configuration", "signpost-order-gate"}, 404, 200, 0, []string{gate, challenges}, "0 challenges ended"},
		{"without the right", []string{"--gate-configuration", "signpost-order-gate"}, 403, 200, 1, []string{gate}, "removing the order gate signpost-order-gate: you may not"},
		{"challenges fail", []string{"--gate-configuration", "signpost-order-gate"}, 200, 403, 1, []string{gate, challenges}, "The order gate is removed already; if Signpost is to stay, helm upgrade brings it back"},
		{"without a gate", nil, 200, 200, 0, []string{challenges}, "0 challenges ended"},
		{"without a gate, challenges fail", nil, 200, 403, 1, []string{challenges}, "reading Challenges: you may not"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.Method+" "+r.URL.Path)
				w.Header().Set("Content-Type", "application/json")
				code, body := c.challenges, `{"kind": "ChallengeList", "apiVersion": "acme.cert-manager.io/v1", "items": []}`
				if r.Method == http.MethodDelete {
					code, body = c.gate, `{"kind": "Status", "apiVersion": "v1", "status": "Success"}`
				}
				if reason := map[int]string{403: "Forbidden", 404: "NotFound"}[code]; reason != "" {
					body = fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": %q, "code": %d, "message": "no"}`, reason, code)
				}
				w.WriteHeader(code)
				fmt.Fprint(w, body)
			}))
			defer api.Close()
			kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
			config := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "c", "cluster": {"server": %q}}], "contexts": [{"name": "c", "context": {"cluster": "c"}}]}`, api.URL)
			if err := os.WriteFile(kubeconfig, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			code := run(t.Context(), append([]string{"end-challenges", "--group-name", "acme.example.com", "--kubeconfig", kubeconfig}, c.args...), &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("exit code %d, want %d; it says %q, want %q", code, c.code, out.String(), c.says)
			}
			if !slices.Equal(asked, c.want) {
				t.Errorf("asked %q, want %q", asked, c.want)
			}
		})
	}
}
