{{/* The release's name, with the chart's in it. */}}
{{- define "sluicegate.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The names of the components that are switched on, as JSON. */}}
{{- define "sluicegate.components" -}}
{{- $on := list -}}
{{- range $name := list "gate" "review" "format" "serve" -}}
{{- if (index $.Values $name).enabled -}}{{- $on = append $on $name -}}{{- end -}}
{{- end -}}
{{- $on | toJson -}}
{{- end -}}

{{/* The number of pods of a component without an autoscaler. Takes a list: the root, the component. */}}
{{- define "sluicegate.replicas" -}}
{{- $component := index . 1 -}}
{{- (index (index . 0).Values $component).replicas | default (ternary 2 1 (has $component (list "gate" "serve"))) | int -}}
{{- end -}}

{{/* The labels that select the pods of a component. Takes a list: the root, the component. */}}
{{- define "sluicegate.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* All labels of an object of a component. Takes a list: the root, the component. */}}
{{- define "sluicegate.labels" -}}
{{- $root := index . 0 -}}
{{ include "sluicegate.selector" . }}
app.kubernetes.io/version: {{ $root.Values.image.tag | default $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: sluicegate
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "sluicegate.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluicegate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "sluicegate.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}
