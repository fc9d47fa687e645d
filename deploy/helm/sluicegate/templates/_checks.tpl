{{/* Stop Helm with a reason. `helm lint` goes on after `fail`; it stops at a template that there is not. */}}
{{- define "sluicegate.refuse" -}}
{{- fail . -}}
{{- include . . -}}
{{- end -}}

{{/* What values.schema.json cannot say, or says in a regular expression: of the release as a whole. */}}
{{- define "sluicegate.checkAll" -}}
{{- $servers := .Values.kafka.bootstrapServers -}}
{{- if not $servers -}}
{{- include "sluicegate.refuse" "kafka.bootstrapServers is missing: set it to the addresses of your brokers, as in kafka-0:9092,kafka-1:9092" -}}
{{- else if not (regexMatch "^[^\\s,:@/]+:[0-9]{1,5}(,[^\\s,:@/]+:[0-9]{1,5})*$" $servers) -}}
{{- include "sluicegate.refuse" "kafka.bootstrapServers is not a list of host:port: write it as in kafka-0:9092,kafka-1:9092, without a scheme, a login or spaces" -}}
{{- end -}}
{{- if and .Values.review.queue.enabled (not .Values.review.enabled) -}}
{{- include "sluicegate.refuse" "review.queue.enabled is true, but there is no review agent to own the queue: set review.enabled to true" -}}
{{- end -}}
{{- $known := .Files.Lines "files/settings.txt" -}}
{{- $places := dict "settings" (list .Values.settings) -}}
{{- range $kind := list "secrets" "configMaps" -}}
{{- range index $.Values $kind -}}{{- $_ := set $places $kind (append (get $places $kind | default list) .settings) -}}{{- end -}}
{{- end -}}
{{- range $component := list "gate" "review" "format" "serve" -}}
{{- $own := index $.Values $component -}}
{{- $_ := set $places (printf "%s.settings" $component) (list $own.settings) -}}
{{- range $kind := list "secrets" "configMaps" -}}
{{- $place := printf "%s.%s" $component $kind -}}
{{- range index $own $kind -}}{{- $_ := set $places $place (append (get $places $place | default list) .settings) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- range $place, $given := $places -}}
{{- range $settings := $given -}}
{{- range $name, $_ := $settings -}}
{{- if not (has $name $known) -}}
{{- include "sluicegate.refuse" (printf "%s: there is no setting %s: docs/settings.md has the names" $place $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The same of one component. Takes a list: the root, the component. */}}
{{- define "sluicegate.check" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index $root.Values $component -}}
{{- if and $own.autoscaling.enabled $own.replicas -}}
{{- include "sluicegate.refuse" (printf "%s.replicas is %d, but %s.autoscaling.enabled is true and chooses the number itself: remove %s.replicas, and set %s.autoscaling.minReplicas" $component (int $own.replicas) $component $component $component) -}}
{{- end -}}
{{- $replicas := include "sluicegate.replicas" . | int -}}
{{- if ne $component "serve" -}}
{{- if and (not $own.autoscaling.enabled) (gt $replicas (int $own.partitions)) -}}
{{- include "sluicegate.refuse" (printf "%s.replicas is %d, but the topic has %s.partitions=%d partitions: the others would be idle" $component $replicas $component (int $own.partitions)) -}}
{{- end -}}
{{- if and $own.autoscaling.enabled (gt (int $own.autoscaling.minReplicas) (int $own.partitions)) -}}
{{- include "sluicegate.refuse" (printf "%s.autoscaling.minReplicas is more than %s.partitions" $component $component) -}}
{{- end -}}
{{- else if gt (int $own.autoscaling.minReplicas) (int $own.autoscaling.maxReplicas) -}}
{{- include "sluicegate.refuse" "serve.autoscaling.minReplicas is more than serve.autoscaling.maxReplicas" -}}
{{- end -}}
{{- range $kind := list "secrets" "configMaps" -}}
{{- $names := list -}}
{{- range concat (index $root.Values $kind) (index $own $kind) -}}
{{- if has .name $names -}}
{{- include "sluicegate.refuse" (printf "%s: %s is listed twice for %s: write all of its settings in one place" $kind .name $component) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
{{- if eq $component "serve" -}}
{{- $keys := false -}}
{{- range concat $root.Values.secrets $own.secrets -}}
{{- if hasKey .settings "SLUICE_HTTP_KEYS" -}}{{- $keys = true -}}{{- end -}}
{{- end -}}
{{- if not $keys -}}
{{- include "sluicegate.refuse" "serve needs API keys: put the file that `sluice keys add` writes into a Secret, and name it with SLUICE_HTTP_KEYS under serve.secrets" -}}
{{- end -}}
{{- end -}}
{{- $reviewers := get (include "sluicegate.settings" . | fromJson) "SLUICE_REVIEWERS" -}}
{{- if and (eq $component "review") (ne (contains "people" $reviewers) $own.queue.enabled) -}}
{{- include "sluicegate.refuse" "review: `people` in SLUICE_REVIEWERS and review.queue.enabled need each other" -}}
{{- end -}}
{{- if and (eq $component "review") $own.queue.enabled -}}
{{- if or (gt $replicas 1) $own.autoscaling.enabled -}}
{{- include "sluicegate.refuse" "review.queue is a file of one worker: set review.replicas to 1 and review.autoscaling.enabled to false" -}}
{{- end -}}
{{- end -}}
{{- end -}}
