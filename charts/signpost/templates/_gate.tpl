{{- /* The name of the gate's registration, a ValidatingWebhookConfiguration. */ -}}
{{- define "signpost.gateConfiguration" -}}
{{- printf "%s-order-gate" (include "signpost.fullname" .) }}
{{- end }}

{{- /* The protected Issuers, as the program takes them: KIND/NAME or Issuer/NAMESPACE/NAME, separated by spaces. */ -}}
{{- define "signpost.gateIssuers" -}}
{{- $list := list }}
{{- if include "signpost.makesIssuer" . }}
{{- $list = append $list (printf "ClusterIssuer/%s" .Values.issuer.name) }}
{{- end }}
{{- range .Values.orderGate.issuers }}
{{- if eq .kind "Issuer" }}
{{- $list = append $list (printf "Issuer/%s/%s" .namespace .name) }}
{{- else }}
{{- $list = append $list (printf "ClusterIssuer/%s" .name) }}
{{- end }}
{{- end }}
{{- join " " (uniq $list) }}
{{- end }}

{{- /*
CEL: whether an Order is for a protected Issuer, or was. An Order without kind, or
with an empty one, is for an Issuer; the group is not looked at, as cert-manager does
not look at it. A field that is missing is an error in CEL unless has() is asked
first, and an error would let an Order past the entry that ignores failures.
*/ -}}
{{- define "signpost.gateProtects" -}}
{{- $cluster := list }}
{{- $namespaced := list }}
{{- range compact (splitList " " (include "signpost.gateIssuers" .)) }}
{{- if hasPrefix "Issuer/" . }}
{{- $namespaced = append $namespaced (trimPrefix "Issuer/" . | squote) }}
{{- else }}
{{- $cluster = append $cluster (trimPrefix "ClusterIssuer/" . | squote) }}
{{- end }}
{{- end -}}
[object, oldObject].exists(o, o != null && has(o.spec) && has(o.spec.issuerRef) && has(o.spec.issuerRef.name) && (
(has(o.spec.issuerRef.kind) && o.spec.issuerRef.kind == 'ClusterIssuer' && o.spec.issuerRef.name in [{{ join ", " $cluster }}]) ||
((!has(o.spec.issuerRef.kind) || o.spec.issuerRef.kind in ['', 'Issuer']) && request.namespace + '/' + o.spec.issuerRef.name in [{{ join ", " $namespaced }}])))
{{- end }}

{{- /*
CEL: whether an update changes what is ordered or how it is solved. All others
(annotations, finalizers, owners) pass without a call: while Signpost is down,
nothing may keep an Order from being deleted.
*/ -}}
{{- define "signpost.gateChanges" -}}
request.operation != 'UPDATE' || !has(object.spec) || !has(oldObject.spec) || object.spec != oldObject.spec ||
(has(object.metadata.labels) ? object.metadata.labels : {}) != (has(oldObject.metadata.labels) ? oldObject.metadata.labels : {})
{{- end }}

{{- /* Requests wait only where there is a gate. */ -}}
{{- define "signpost.watchesRequests" -}}
{{- if and .Values.orderGate.enabled .Values.watchRequests.enabled }}yes{{ end }}
{{- end }}
