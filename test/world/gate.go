package world

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// ProtectedIssuers are the ClusterIssuers whose Orders the gate protects, whether
// they are there or not.
var ProtectedIssuers = []string{"protected", "strict", "strict-follow", "strict-named", "strict-blind"}

// gateFlags are what a replica needs for the gate.
func gateFlags() (flags []string) {
	for _, name := range ProtectedIssuers {
		flags = append(flags, "--gate-issuer", "ClusterIssuer/"+name)
	}
	return append(flags, "--gate-configuration", signpost)
}

// gate is the ValidatingWebhookConfiguration, with the first entry failing closed
// for the protected Issuers and the second letting all others pass while Signpost
// is away.
func (w *World) gate() string {
	protects := func(object string) string {
		return fmt.Sprintf(`(%[1]s != null && has(%[1]s.spec) && has(%[1]s.spec.issuerRef) && has(%[1]s.spec.issuerRef.kind) && has(%[1]s.spec.issuerRef.name) && `+
			`%[1]s.spec.issuerRef.kind == 'ClusterIssuer' && %[1]s.spec.issuerRef.name in ['%[2]s'])`, object, strings.Join(ProtectedIssuers, "', '"))
	}
	expression := protects("object") + " || " + protects("oldObject")
	entry := func(name, policy, expression string) string {
		return fmt.Sprintf(`
  - name: %s.signpost.dev
    failurePolicy: %s
    sideEffects: None
    timeoutSeconds: 3
    admissionReviewVersions: [v1]
    rules: [{apiGroups: [acme.cert-manager.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [orders]}]
    clientConfig: {service: {name: signpost, namespace: signpost, port: 443, path: /order-gate}, caBundle: %s}
    matchConditions: [{name: issuer, expression: %q}]`, name, policy, base64.StdEncoding.EncodeToString(w.ca.pem()), expression)
	}
	return "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: signpost}\nwebhooks:" +
		entry("protected", "Fail", expression) + entry("others", "Ignore", "!("+expression+")") + "\n"
}
