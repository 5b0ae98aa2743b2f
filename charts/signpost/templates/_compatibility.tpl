{{- /* The digest of the image, empty for none. A released chart has that of its own image as
an annotation rather than a value: a value would win over image.tag, and --reuse-values would keep it. */ -}}
{{- define "signpost.imageDigest" -}}
{{- if .Values.image.digest }}
{{- .Values.image.digest }}
{{- else if not .Values.image.tag }}
{{- index .Chart.Annotations "signpost/image-digest" | default "" }}
{{- end }}
{{- end }}

{{- /* Refuses an image that this chart does not work with, as far as its tag tells. */ -}}
{{- define "signpost.checkImage" -}}
{{- $oldest := index .Chart.Annotations "signpost/oldest-image" }}
{{- $tag := .Values.image.tag | trimPrefix "v" }}
{{- if regexMatch "^[0-9]+\\.[0-9]+\\.[0-9]+([-+].*)?$" $tag }}
{{- if not (semverCompare (printf ">=%s-0" $oldest) $tag) }}
{{- fail (printf "image.tag: %s is older than %s, the oldest image that this chart works with; leave image.tag empty for the chart's own, or install the chart of that version" .Values.image.tag $oldest) }}
{{- end }}
{{- end }}
{{- end }}
