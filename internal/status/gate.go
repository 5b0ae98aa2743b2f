package status

import (
	"context"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
)

// gateInterval is how often the gate's ValidatingWebhookConfiguration is read.
const gateInterval = time.Minute

// configuration knows whether the API server asks the gate as it should. The zero
// value knows nothing. Touched by Collector.Run alone.
type configuration struct {
	next    time.Time
	problem string // empty for none
}

// look reads the configuration again, if that is due.
func (g *configuration) look(ctx context.Context, k Cluster, name string) {
	if name == "" || time.Now().Before(g.next) {
		return
	}
	g.next = time.Now().Add(gateInterval)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	g.problem = k.GateConfiguration(ctx, name)
}

// gateFindings says what is wrong with the gate, if anything is.
func (c *Collector) gateFindings() (list []check.Finding) {
	if c.gate.problem != "" {
		list = append(list, check.Finding{
			Check: "gate-configuration", Subject: c.GateConfiguration, Status: check.Failed,
			Wanted: "the API server asks Signpost about every Order", Seen: c.gate.problem,
			Hint: "Install the chart again with the same values, so that the ValidatingWebhookConfiguration is as Signpost needs it; until then Orders may be created unasked.",
		})
	}
	for _, ref := range c.Cluster.Unnamed() {
		list = append(list, check.Finding{
			Check: "gate-issuer-unnamed", Subject: ref.String(), Status: check.Failed,
			Wanted: "every Issuer with the ACME account of a ClusterIssuer with strict namespaces is among orderGate.issuers", Seen: "it is not: all its Orders are denied",
			Hint: "Add it to orderGate.issuers in the values of the chart, or give it an account of its own (another privateKeySecretRef).",
		})
	}
	return list
}
