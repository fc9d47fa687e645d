{{/* What values.schema.json cannot say. Takes a list: the root, the component. */}}
{{- define "sluicegate.check" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index $root.Values $component -}}
{{- if ne $component "serve" -}}
{{- if and (not $own.autoscaling.enabled) (gt (int $own.replicas) (int $own.partitions)) -}}
{{- fail (printf "%s.replicas is %d, but the topic has %s.partitions=%d partitions: the others would be idle" $component (int $own.replicas) $component (int $own.partitions)) -}}
{{- end -}}
{{- if and $own.autoscaling.enabled (gt (int $own.autoscaling.minReplicas) (int $own.partitions)) -}}
{{- fail (printf "%s.autoscaling.minReplicas is more than %s.partitions" $component $component) -}}
{{- end -}}
{{- else if gt (int $own.autoscaling.minReplicas) (int $own.autoscaling.maxReplicas) -}}
{{- fail "serve.autoscaling.minReplicas is more than serve.autoscaling.maxReplicas" -}}
{{- end -}}
{{- range $kind := list "secrets" "configMaps" -}}
{{- $names := list -}}
{{- range concat (index $root.Values $kind) (index $own $kind) -}}
{{- if has .name $names -}}
{{- fail (printf "%s: %s is listed twice for %s: write all of its settings in one place" $kind .name $component) -}}
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
{{- fail "serve needs API keys: put the file that `sluice keys add` writes into a Secret, and name it with SLUICE_HTTP_KEYS under serve.secrets" -}}
{{- end -}}
{{- end -}}
{{- $reviewers := get (include "sluicegate.settings" . | fromJson) "SLUICE_REVIEWERS" -}}
{{- if and (eq $component "review") (ne (contains "people" $reviewers) $own.queue.enabled) -}}
{{- fail "review: `people` in SLUICE_REVIEWERS and review.queue.enabled need each other" -}}
{{- end -}}
{{- if and (eq $component "review") $own.queue.enabled -}}
{{- if or (gt (int $own.replicas) 1) $own.autoscaling.enabled -}}
{{- fail "review.queue is a file of one worker: set review.replicas to 1 and review.autoscaling.enabled to false" -}}
{{- end -}}
{{- end -}}
{{- end -}}
