{{- /*
What came after the first chart, as in values.yaml. helm upgrade --reuse-values
takes the values of the old chart and leaves these out; every template fills them in
before it reads any. values.yaml stays what people read, and a test compares.
*/ -}}
{{- define "signpost.added" -}}
strictNamespaces: false
orderGate: {enabled: true, issuers: [], clusterNamespace: false, otherSolvers: false, timeoutSeconds: 3}
watchRequests: {enabled: true}
endChallenges: {enabled: true}
image: {registry: ""}
dnsService: {nodePort: null, externalIPs: []}
webhook: {port: 8443, servicePort: 443}
http: {port: 8080}
hostNetwork: false
dnsPolicy: ""
checkCluster: true
resolverOnly: false
privateAddresses: false
ownerPage:
  enabled: false
  url: ""
  company: ""
  contact: ""
  texts: {}
  existingSecret: ""
  port: 8090
  service: {type: ClusterIP, port: 80, annotations: {}}
  ingress: {enabled: false, className: "", annotations: {}, tlsSecretName: ""}
  httpRoute: {enabled: false, parentRefs: []}
  networkPolicy: {enabled: true, from: []}
mode: direct
secondaries: []
transfers: {keySecretName: "", keySecretKeys: [transfer.key], tlsSecretName: ""}
networkPolicy: {dnsFrom: []}
{{- end }}

{{- define "signpost.defaults" -}}
{{- include "signpost.fill" (list .Values (include "signpost.added" . | fromYaml)) }}
{{- end }}

{{- /* Puts what is missing in the first map there from the second. merge would also overwrite false, 0 and "". */ -}}
{{- define "signpost.fill" -}}
{{- $into := index . 0 }}
{{- range $key, $value := index . 1 }}
{{- if not (hasKey $into $key) }}
{{- $_ := set $into $key $value }}
{{- else if and (kindIs "map" $value) (kindIs "map" (get $into $key)) }}
{{- include "signpost.fill" (list (get $into $key) $value) }}
{{- end }}
{{- end }}
{{- end }}
