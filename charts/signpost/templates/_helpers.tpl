{{- define "signpost.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Cut to 45 characters, so that every suffix of the chart still fits into a name. */ -}}
{{- define "signpost.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 45 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "signpost.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: signpost
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "signpost.selector" -}}
app.kubernetes.io/name: {{ include "signpost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "signpost.labels" -}}
{{ include "signpost.selector" . }}
{{ include "signpost.commonLabels" . }}
{{- end }}

{{- define "signpost.endChallenges.labels" -}}
app.kubernetes.io/name: {{ include "signpost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: end-challenges
{{ include "signpost.commonLabels" . }}
{{- end }}

{{- define "signpost.valkey.selector" -}}
app.kubernetes.io/name: {{ include "signpost.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: valkey
{{- end }}

{{- define "signpost.valkey.labels" -}}
{{ include "signpost.valkey.selector" . }}
{{ include "signpost.commonLabels" . }}
{{- end }}

{{- define "signpost.zone" -}}
{{- if not .Values.zone }}
{{- fail "zone: is needed: the zone that Signpost serves, a sub-domain that you own and that nothing else uses; for example --set zone=acme.example.com" }}
{{- end }}
{{- .Values.zone }}
{{- end }}

{{- define "signpost.groupName" -}}
{{- .Values.groupName | default (include "signpost.zone" .) }}
{{- end }}

{{- /* The nameservers as the program takes them: name or name=address,address. */ -}}
{{- define "signpost.nameservers" -}}
{{- $zone := include "signpost.zone" . }}
{{- $list := list }}
{{- range .Values.nameservers }}
{{- if and (or (eq .name $zone) (hasSuffix (printf ".%s" $zone) .name)) (not .addresses) }}
{{- fail (printf "nameservers: %s is inside the zone %s and needs its addresses, for nobody else can answer for it" .name $zone) }}
{{- end }}
{{- if .addresses }}
{{- $list = append $list (printf "%s=%s" .name (join "," .addresses)) }}
{{- else }}
{{- $list = append $list .name }}
{{- end }}
{{- end }}
{{- if ne .Values.mode "secondaries" }}
{{- $list = $list | default (list (printf "ns-%s" $zone)) }}
{{- end }}
{{- join " " $list }}
{{- end }}

{{- /* The secondaries as the program takes them: name=address,address,notify=address,key=name. */ -}}
{{- define "signpost.secondaries" -}}
{{- $list := list }}
{{- range .Values.secondaries }}
{{- $parts := .addresses }}
{{- range .notify }}{{ $parts = append $parts (printf "notify=%s" .) }}{{ end }}
{{- range .keys }}{{ $parts = append $parts (printf "key=%s" .) }}{{ end }}
{{- $list = append $list (printf "%s=%s" .name (join "," $parts)) }}
{{- end }}
{{- join " " $list }}
{{- end }}

{{- /* The names of the nameservers alone, separated by spaces. */ -}}
{{- define "signpost.nameserverNames" -}}
{{- $names := list }}
{{- range compact (splitList " " (printf "%s %s" (include "signpost.nameservers" .) (include "signpost.secondaries" .))) }}
{{- $names = append $names (first (splitList "=" .)) }}
{{- end }}
{{- join " " (uniq $names) }}
{{- end }}

{{- define "signpost.clusterNamespace" -}}
{{- .Values.certManager.clusterResourceNamespace | default .Values.certManager.namespace }}
{{- end }}

{{- define "signpost.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "signpost.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- /* An image, of the values of one, in the registry that all are in. Takes a list: the root, the image, its tag, its digest or an empty string. */ -}}
{{- define "signpost.imageOf" -}}
{{- $root := index . 0 }}
{{- $image := index . 1 }}
{{- with $root.Values.image.registry | default $root.Values.global.imageRegistry }}{{ . }}/{{ end }}
{{- with index . 3 }}
{{- printf "%s@%s" $image.repository . }}
{{- else }}
{{- printf "%s:%s" $image.repository (index . 2) }}
{{- end }}
{{- end }}

{{- define "signpost.image" -}}
{{- include "signpost.checkImage" . }}
{{- include "signpost.imageOf" (list . .Values.image (.Values.image.tag | default .Chart.AppVersion) (include "signpost.imageDigest" .)) }}
{{- end }}

{{- define "signpost.valkey.image" -}}
{{- include "signpost.imageOf" (list . .Values.redis.bundled.image .Values.redis.bundled.image.tag .Values.redis.bundled.image.digest) }}
{{- end }}

{{- /* Whether each pod takes ports of its node, of which there are no two. */ -}}
{{- define "signpost.takesNodePorts" -}}
{{- if or .Values.hostPort.enabled .Values.hostNetwork }}yes{{ end }}
{{- end }}

{{- define "signpost.valkey.fullname" -}}
{{- printf "%s-valkey" (include "signpost.fullname" .) }}
{{- end }}

{{- /* The Secret with the password of Redis; empty for none. */ -}}
{{- define "signpost.redisSecret" -}}
{{- if .Values.redis.existingSecret }}
{{- .Values.redis.existingSecret }}
{{- else if eq .Values.redis.mode "bundled" }}
{{- include "signpost.valkey.fullname" . }}
{{- end }}
{{- end }}

{{- define "signpost.dnsServiceType" -}}
{{- .Values.dnsService.type | default (ternary "ClusterIP" "LoadBalancer" (or .Values.hostPort.enabled (eq .Values.mode "secondaries"))) }}
{{- end }}

{{- /* The names of the DNS Services, separated by spaces; empty for none. */ -}}
{{- define "signpost.dnsServices" -}}
{{- $name := printf "%s-dns" (include "signpost.fullname" .) }}
{{- if not .Values.dnsService.enabled }}
{{- else if .Values.dnsService.splitProtocols }}
{{- printf "%s-udp %s-tcp" $name $name }}
{{- else }}
{{- $name }}
{{- end }}
{{- end }}

{{- define "signpost.acmeServer" -}}
{{- if eq .Values.issuer.server "production" -}}
https://acme-v02.api.letsencrypt.org/directory
{{- else if eq .Values.issuer.server "staging" -}}
https://acme-staging-v02.api.letsencrypt.org/directory
{{- else -}}
{{- .Values.issuer.server }}
{{- end }}
{{- end }}

{{- define "signpost.makesIssuer" -}}
{{- if and .Values.issuer.create .Values.issuer.email }}yes{{ end }}
{{- end }}
