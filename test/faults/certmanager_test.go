package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

const namespace = "web" // of the Challenges

// beCertManager gives its ServiceAccount the right to call every stage's webhook,
// and returns a token of that.
func beCertManager(ctx context.Context) (string, error) {
	if err := w.Namespace(ctx, namespace); err != nil {
		return "", err
	}
	err := w.Apply(ctx, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: call-every-webhook}
rules: [{apiGroups: ["*"], resources: [signpost], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: call-every-webhook}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: call-every-webhook}
subjects: [{kind: ServiceAccount, name: cert-manager, namespace: cert-manager}]
`)
	if err != nil {
		return "", err
	}
	accounts := w.Kube.CoreV1().ServiceAccounts(world.CertManagerNamespace)
	_, err = accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "cert-manager"}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return "", err
	}
	t, err := accounts.CreateToken(ctx, "cert-manager", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return t.Status.Token, nil
}

// newCaller returns a client for webhooks: a replica's, or the API server's.
func newCaller() *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second, // the API server's for webhooks
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: w.CAs(), ServerName: world.APIServerName},
			MaxIdleConnsPerHost: 100,
		},
	}
}

// errCall is an error that is not the webhook's own: it may have done its work.
var errCall = errors.New("the call has failed")

// call calls a webhook as cert-manager does. Its error is what the webhook says.
func call(client *http.Client, base, group string, action whapi.ChallengeAction, domain, key string) error {
	body, err := json.Marshal(whapi.ChallengePayload{
		TypeMeta: metav1.TypeMeta{APIVersion: "webhook.acme.cert-manager.io/v1alpha1", Kind: "ChallengePayload"},
		Request: &whapi.ChallengeRequest{
			UID: "1", Action: action, Type: "dns-01", DNSName: domain, Key: key, ResourceNamespace: world.CertManagerNamespace,
			ResolvedFQDN: "_acme-challenge." + domain + ".", ResolvedZone: domain + ".",
			Config: &apiextensionsv1.JSON{Raw: []byte(`{"checkCNAME":false}`)},
		},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, base+"/apis/"+group+"/v1alpha1/signpost", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errCall, err)
	}
	defer resp.Body.Close()
	var answer whapi.ChallengePayload
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%w: %s, %w", errCall, resp.Status, err)
	}
	if answer.Response == nil {
		return fmt.Errorf("%w: %s", errCall, resp.Status)
	}
	if !answer.Response.Success {
		return errors.New(answer.Response.Result.Message)
	}
	return nil
}

// createChallenge makes a Challenge as cert-manager does for an order, with the
// status that it has once Present has succeeded.
func createChallenge(ctx context.Context, group, name, domain, key string) error {
	challenges := w.CM.AcmeV1().Challenges(namespace)
	c, err := challenges.Create(ctx, &acmev1.Challenge{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: acmev1.ChallengeSpec{
			URL: "https://ca.example/challenge", AuthorizationURL: "https://ca.example/authorization", Type: acmev1.ACMEChallengeTypeDNS01,
			DNSName: domain, Key: key, Token: "token", IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: "faults"},
			Solver: acmev1.ACMEChallengeSolver{DNS01: &acmev1.ACMEChallengeSolverDNS01{
				Webhook: &acmev1.ACMEIssuerDNS01ProviderWebhook{GroupName: group, SolverName: "signpost"},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	c.Status = acmev1.ChallengeStatus{Processing: true, Presented: true, State: acmev1.Pending}
	_, err = challenges.UpdateStatus(ctx, c, metav1.UpdateOptions{})
	return err
}

// endChallenge removes a Challenge, as when its order has ended.
func endChallenge(ctx context.Context, name string) error {
	return w.CM.AcmeV1().Challenges(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}
