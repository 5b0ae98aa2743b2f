{{- define "signpost.ownerPage.fullname" -}}
{{- printf "%s-owner-page" (include "signpost.fullname" .) }}
{{- end }}

{{- /* The Secret with the keys of links to the owner's page. */ -}}
{{- define "signpost.ownerPage.keys" -}}
{{- .Values.ownerPage.existingSecret | default (printf "%s-owner-keys" (include "signpost.fullname" .)) }}
{{- end }}

{{- define "signpost.ownerPage.host" -}}
{{- regexReplaceAll ":[0-9]+$" (get (urlParse .Values.ownerPage.url) "host") "" }}
{{- end }}

{{- define "signpost.ownerPage.path" -}}
{{- get (urlParse .Values.ownerPage.url) "path" | trimSuffix "/" | default "/" }}
{{- end }}

{{- /* What Signpost is told about the owner's page. */ -}}
{{- define "signpost.ownerPage.env" -}}
{{- if .Values.ownerPage.enabled }}
- name: SIGNPOST_OWNER_LISTEN
  value: ":{{ .Values.ownerPage.port }}"
- name: SIGNPOST_OWNER_URL
  value: {{ .Values.ownerPage.url | quote }}
- name: SIGNPOST_OWNER_KEYS
  value: /owner-keys
{{- with .Values.ownerPage.company }}
- name: SIGNPOST_OWNER_COMPANY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.ownerPage.contact }}
- name: SIGNPOST_OWNER_CONTACT
  value: {{ . | quote }}
{{- end }}
{{- if .Values.ownerPage.texts }}
- name: SIGNPOST_OWNER_TEXTS
  value: /owner-texts
{{- end }}
{{- end }}
{{- end }}
