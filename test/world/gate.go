package world

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// ProtectedIssuers are the ClusterIssuers whose Orders the gate protects, whether
// they are there or not.
var ProtectedIssuers = []string{"protected", "expired", "strict", "strict-follow", "strict-named", "strict-blind", "strict-signing"}

// gateFlags are what a replica needs for the gate.
func gateFlags() (flags []string) {
	for _, name := range ProtectedIssuers {
		flags = append(flags, "--gate-issuer", "ClusterIssuer/"+name)
	}
	return append(flags, "--gate-configuration", signpost+"-order-gate")
}

// gate is the chart's ValidatingWebhookConfiguration. Nobody injects the CA here.
func (w *World) gate() (string, error) {
	set := "zone=" + Zone
	for i, name := range ProtectedIssuers {
		set += fmt.Sprintf(",orderGate.issuers[%d].kind=ClusterIssuer,orderGate.issuers[%d].name=%s", i, i, name)
	}
	text, err := RenderChart(w.chartDir(), signpost, signpost, set, "/ordergate.yaml")
	if err != nil {
		return "", err
	}
	const client = "    clientConfig:\n"
	if !strings.Contains(text, client) {
		return "", fmt.Errorf("the chart's ordergate.yaml has no %q", strings.TrimSpace(client))
	}
	return strings.ReplaceAll(text, client, client+"      caBundle: "+base64.StdEncoding.EncodeToString(w.ca.pem())+"\n"), nil
}
