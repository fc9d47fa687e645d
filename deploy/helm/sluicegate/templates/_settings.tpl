{{/* A number without an exponent, a text as it is. */}}
{{- define "sluicegate.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{ int64 . }}{{- else -}}{{ toString . }}{{- end -}}
{{- end -}}

{{/* The settings of a component as JSON, its own before those of all. Takes a list: the root, the component. */}}
{{- define "sluicegate.settings" -}}
{{- $root := index . 0 -}}
{{- $own := index $root.Values (index . 1) -}}
{{- $settings := dict -}}
{{- range $name, $value := merge (dict) $own.settings $root.Values.settings -}}
{{- $_ := set $settings $name (include "sluicegate.text" $value) -}}
{{- end -}}
{{- $secrets := list "SLUICE_SASL_PASSWORD" "SLUICE_SSL_KEY_PASSWORD" "SLUICE_REPLAY_KEY" "SLUICE_REVIEW_API_KEY" "SLUICE_REVIEW_KEY" "SLUICE_UPSTREAM_KEY" "SLUICE_SCHEMA_REGISTRY_PASSWORD" -}}
{{- range $secrets -}}
{{- if hasKey $settings . -}}
{{- include "sluicegate.refuse" (printf "settings: %s is a secret. Put it into a Secret, and name its file with %s_FILE under `secrets`" . .) -}}
{{- end -}}
{{- end -}}
{{- range $name, $remedy := dict "SLUICE_BOOTSTRAP_SERVERS" "kafka.bootstrapServers" "SLUICE_MODEL" "model.path" "SLUICE_HTTP_HOST" "nothing: the chart sets it" "SLUICE_HTTP_PORT" "nothing: the chart sets it" "SLUICE_REVIEW_QUEUE" "review.queue" -}}
{{- if hasKey $settings $name -}}
{{- include "sluicegate.refuse" (printf "settings: %s is not set here: use %s" $name $remedy) -}}
{{- end -}}
{{- end -}}
{{- $settings | toJson -}}
{{- end -}}

{{/*
The whole seconds that a stop may take: agents/time_budget.py of the code, in the language of templates. Tests compare
the two. Takes a list: the root, the component.
*/}}
{{- define "sluicegate.stopSeconds" -}}
{{- $settings := include "sluicegate.settings" . | fromJson -}}
{{- $component := index . 1 -}}
{{- $publish := get $settings "SLUICE_PUBLISH_TIMEOUT_MS" | default "10000" | int64 -}}
{{- $ms := 0 -}}
{{- if eq $component "serve" -}}
{{- $deadline := get $settings "SLUICE_DEADLINE_MS" | default "10000" | int64 -}}
{{- $reading := get $settings "SLUICE_HTTP_READ_TIMEOUT_MS" | default "10000" | int64 -}}
{{- $ledger := ternary $publish 0 (eq (get $settings "SLUICE_HTTP_LEDGER") "kafka") -}}
{{- $ms = add $deadline $reading $ledger 2000 6000 -}}
{{- else -}}
{{- $deadline := dict "gate" (get $settings "SLUICE_DEADLINE_MS" | default "10000") "review" (get $settings "SLUICE_REVIEW_DEADLINE_MS" | default "20000") "format" (get $settings "SLUICE_FORMAT_DEADLINE_MS" | default "10000") -}}
{{- $deduplicates := and (ne $component "format") (gt (get $settings "SLUICE_DEDUP_WINDOW" | default "0" | int64) 0) -}}
{{- $ms = add (get $deadline $component | int64) (mul 4 $publish) (ternary 5000 0 $deduplicates) 10000 400 6000 -}}
{{- end -}}
{{- div (add $ms 999) 1000 -}}
{{- end -}}

{{/* The topic that an agent reads, and its consumer group: the defaults of the code. Takes a list: the root, the component. */}}
{{- define "sluicegate.inputTopic" -}}
{{- $settings := include "sluicegate.settings" . | fromJson -}}
{{- $component := index . 1 -}}
{{- if eq $component "gate" -}}{{- get $settings "SLUICE_TOPIC_RAW" | default "queries.raw" -}}
{{- else if eq $component "review" -}}{{- get $settings "SLUICE_TOPIC_REVIEW" | default "queries.review" -}}
{{- else -}}{{- get $settings "SLUICE_TOPIC_ACTIONS_RAW" | default "actions.raw" -}}
{{- end -}}
{{- end -}}

{{- define "sluicegate.consumerGroup" -}}
{{- $settings := include "sluicegate.settings" . | fromJson -}}
{{- $component := index . 1 -}}
{{- $group := get $settings "SLUICE_GROUP_ID" | default "sluicegate-gate" -}}
{{- if eq $component "gate" -}}{{- $group -}}
{{- else if eq $component "review" -}}{{- get $settings "SLUICE_REVIEW_GROUP_ID" | default (printf "%s-review" $group) -}}
{{- else -}}{{- get $settings "SLUICE_FORMAT_GROUP_ID" | default (printf "%s-format" $group) -}}
{{- end -}}
{{- end -}}

{{/* The ports that a component must reach besides Kafka, as JSON: those of the addresses in its settings. */}}
{{- define "sluicegate.addressPorts" -}}
{{- $settings := include "sluicegate.settings" . | fromJson -}}
{{- $ports := list -}}
{{- range $name := list "SLUICE_OTLP_ENDPOINT" "SLUICE_SASL_TOKEN_URL" "SLUICE_REVIEW_API_URL" "SLUICE_UPSTREAM" "SLUICE_SCHEMA_REGISTRY_URL" -}}
{{- with get $settings $name -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $ports = append $ports ($port | default (ternary "443" "80" (eq $url.scheme "https")) | int) -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}
