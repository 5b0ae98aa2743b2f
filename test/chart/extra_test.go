package chart

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

func TestExtras(t *testing.T) {
	r := must(t, "extraEnv[0].name=HTTPS_PROXY,extraEnv[0].value=http://proxy", "image.digest=sha256:"+strings.Repeat("a", 64),
		`extraObjects[0]=apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-x"}`,
		"extraObjects[1].apiVersion=v1", "extraObjects[1].kind=ConfigMap", "extraObjects[1].metadata.name=y",
		"commonLabels.team=dns", "serviceAccount.create=false", "serviceAccount.name=mine", "fullnameOverride=other")
	for _, key := range []string{"ConfigMap/signpost-x", "ConfigMap/y", "Service/other-dns"} {
		if !r.has(key) {
			t.Errorf("there is no %s", key)
		}
	}
	d := get[*appsv1.Deployment](t, r, "Deployment/other")
	c := d.Spec.Template.Spec.Containers[0]
	if !slices.Contains(c.Env, corev1.EnvVar{Name: "HTTPS_PROXY", Value: "http://proxy"}) {
		t.Error("extraEnv is not there")
	}
	if !strings.HasSuffix(c.Image, "/signpost@sha256:"+strings.Repeat("a", 64)) {
		t.Errorf("image %s: the digest must win", c.Image)
	}
	if d.Spec.Template.Spec.ServiceAccountName != "mine" || r.has("ServiceAccount/other") {
		t.Errorf("ServiceAccount %s", d.Spec.Template.Spec.ServiceAccountName)
	}
	if d.Labels["team"] != "dns" {
		t.Errorf("labels %v", d.Labels)
	}
	if l := load(t); c.Image == "" || l.Metadata.AppVersion == "" {
		t.Error("no appVersion")
	}
}

func TestNetworkPolicy(t *testing.T) {
	p := get[*networkingv1.NetworkPolicy](t, must(t), "NetworkPolicy/signpost")
	if len(p.Spec.PolicyTypes) != 1 || len(p.Spec.Ingress) != 2 || p.Spec.Ingress[0].From != nil {
		t.Errorf("%+v", p.Spec)
	}
	p = get[*networkingv1.NetworkPolicy](t, must(t, "networkPolicy.httpFrom[0].podSelector.matchLabels.app=prometheus", "networkPolicy.egress[0].ports[0].port=53"), "NetworkPolicy/signpost")
	if len(p.Spec.PolicyTypes) != 2 || len(p.Spec.Egress) != 1 || len(p.Spec.Ingress[1].From) != 1 || p.Spec.Ingress[0].From != nil {
		t.Errorf("%+v", p.Spec)
	}
	r := must(t, "networkPolicy.enabled=false", "redis.bundled.networkPolicy=false")
	if r.has("NetworkPolicy/signpost") || r.has("NetworkPolicy/signpost-valkey") {
		t.Error("there is a NetworkPolicy")
	}
	// Valkey lets in Signpost alone, and goes nowhere.
	p = get[*networkingv1.NetworkPolicy](t, must(t), "NetworkPolicy/signpost-valkey")
	if len(p.Spec.PolicyTypes) != 2 || len(p.Spec.Egress) != 0 || len(p.Spec.Ingress) != 1 || p.Spec.Ingress[0].From[0].PodSelector.MatchLabels["app.kubernetes.io/component"] != "server" {
		t.Errorf("%+v", p.Spec)
	}
}

// The bundled Valkey never has its password where an object shows it.
func TestValkey(t *testing.T) {
	d := get[*appsv1.Deployment](t, must(t), "Deployment/signpost-valkey")
	c := d.Spec.Template.Spec.Containers[0]
	if i := slices.Index(c.Args, "--requirepass"); i < 0 || c.Args[i+1] != "$(PASSWORD)" || c.Env[0].ValueFrom.SecretKeyRef.Name != "signpost-valkey" {
		t.Errorf("args %q, env %+v", c.Args, c.Env)
	}
	if d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType || *d.Spec.Replicas != 1 {
		t.Errorf("%+v", d.Spec.Strategy)
	}
	if strings.HasSuffix(c.Image, ":latest") || !strings.Contains(c.Image, "valkey/valkey:") {
		t.Errorf("image %s", c.Image)
	}
	r := must(t, "redis.bundled.persistence.enabled=true", "redis.existingSecret=mine")
	claim := get[*corev1.PersistentVolumeClaim](t, r, "PersistentVolumeClaim/signpost-valkey")
	d = get[*appsv1.Deployment](t, r, "Deployment/signpost-valkey")
	if v := d.Spec.Template.Spec.Volumes[0]; v.PersistentVolumeClaim == nil || v.PersistentVolumeClaim.ClaimName != claim.Name {
		t.Errorf("volume %+v", v)
	}
	if n := d.Spec.Template.Spec.Containers[0].Env[0].ValueFrom.SecretKeyRef.Name; n != "mine" {
		t.Errorf("the password is from %s", n)
	}
	for _, mode := range []string{"redis.mode=memory,replicaCount=1", "redis.mode=external,redis.url=redis://r"} {
		for _, key := range must(t, mode).keys() {
			if strings.HasSuffix(key, "valkey") {
				t.Errorf("%s makes %s", mode, key)
			}
		}
	}
}
