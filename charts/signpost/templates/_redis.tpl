{{- /* Whether the password is mounted as a file. Signpost reads it at every connect, so it can be changed. */ -}}
{{- define "signpost.redisPasswordFile" -}}
{{- if and (ne .Values.redis.mode "memory") (include "signpost.redisSecret" .) .Values.redis.passwordKey }}yes{{ end }}
{{- end }}

{{- /* What Signpost is told about Redis. */ -}}
{{- define "signpost.redisEnv" -}}
{{- if eq .Values.redis.mode "bundled" }}
- name: SIGNPOST_REDIS_URL
  value: redis://{{ include "signpost.valkey.fullname" . }}.{{ .Release.Namespace }}.svc:6379/0
{{- else if eq .Values.redis.mode "external" }}
- name: SIGNPOST_REDIS_URL
  {{- if .Values.redis.urlKey }}
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret }}
      key: {{ .Values.redis.urlKey }}
  {{- else }}
  value: {{ .Values.redis.url | quote }}
  {{- end }}
{{- with .Values.redis.username }}
- name: SIGNPOST_REDIS_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- with .Values.redis.sentinelPasswordKey }}
- name: SIGNPOST_REDIS_SENTINEL_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.redis.existingSecret }}
      key: {{ . }}
{{- end }}
{{- if .Values.redis.tls.existingSecret }}
- name: SIGNPOST_REDIS_CA_FILE
  value: /redis-ca/ca.crt
{{- end }}
{{- end }}
{{- if include "signpost.redisPasswordFile" . }}
- name: SIGNPOST_REDIS_PASSWORD_FILE
  value: /redis-password/password
{{- end }}
{{- end }}

{{- define "signpost.hostPort" -}}
{{- if .Values.hostPort.enabled }}
hostPort: {{ .Values.hostPort.port }}
{{- with .Values.hostPort.hostIP }}
hostIP: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
