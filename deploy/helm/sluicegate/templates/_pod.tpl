{{/* Where the files of a Secret or a ConfigMap stand. */}}
{{- define "sluicegate.secretFolder" -}}/run/secrets/sluicegate/{{ . }}{{- end -}}
{{- define "sluicegate.configFolder" -}}/etc/sluicegate/{{ . }}{{- end -}}

{{/* The environment of a container. Takes a list: the root, the component. */}}
{{- define "sluicegate.env" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index $root.Values $component -}}
{{- $env := include "sluicegate.settings" . | fromJson -}}
{{- $_ := set $env "SLUICE_BOOTSTRAP_SERVERS" $root.Values.kafka.bootstrapServers -}}
{{- $_ := set $env "SLUICE_HTTP_HOST" "0.0.0.0" -}}
{{- $_ := set $env "SLUICE_HTTP_PORT" "6066" -}}
{{- with $root.Values.model -}}
{{- if ne .source "image" -}}
{{- $_ := set $env "SLUICE_MODEL" (printf "/models/%s" .path | trimSuffix "/") -}}
{{- else if .path -}}
{{- $_ := set $env "SLUICE_MODEL" .path -}}
{{- end -}}
{{- end -}}
{{- if and (eq $component "review") $own.queue.enabled -}}
{{- $_ := set $env "SLUICE_REVIEW_QUEUE" "/var/lib/sluicegate/reviews" -}}
{{- end -}}
{{- range concat $root.Values.secrets $own.secrets -}}
{{- $folder := include "sluicegate.secretFolder" .name -}}
{{- range $name, $key := .settings -}}{{- $_ := set $env $name (printf "%s/%s" $folder $key | trimSuffix "/") -}}{{- end -}}
{{- end -}}
{{- range concat $root.Values.configMaps $own.configMaps -}}
{{- $folder := include "sluicegate.configFolder" .name -}}
{{- range $name, $key := .settings -}}{{- $_ := set $env $name (printf "%s/%s" $folder $key | trimSuffix "/") -}}{{- end -}}
{{- end -}}
{{- range $name := keys $env | sortAlpha }}
- name: {{ $name }}
  value: {{ get $env $name | quote }}
{{- end -}}
{{- end -}}

{{- define "sluicegate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* A pod. Takes a list: the root, the component. */}}
{{- define "sluicegate.podSpec" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index $root.Values $component -}}
{{- $values := $root.Values -}}
{{- $serves := eq $component "serve" -}}
{{- $preStop := ternary 5 0 $serves -}}
{{- $hasModels := ne $values.model.source "image" -}}
{{- $hasQueue := and (eq $component "review") $own.queue.enabled -}}
serviceAccountName: {{ include "sluicegate.serviceAccountName" $root }}
automountServiceAccountToken: false
enableServiceLinks: false # a service called `sluice` would make variables that look like settings
terminationGracePeriodSeconds: {{ add $preStop (include "sluicegate.stopSeconds" .) 8 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if eq $values.model.source "initContainer" }}
initContainers:
  - name: model
    image: {{ required "model.initContainer.image is needed with model.source=initContainer" $values.model.initContainer.image }}
    command: {{ $values.model.initContainer.command | toJson }}
    securityContext: {{- include "sluicegate.containerSecurity" . | nindent 6 }}
    resources: {{- $own.resources | toYaml | nindent 6 }}
    volumeMounts:
      - {name: models, mountPath: /models}
      - {name: tmp, mountPath: /tmp}
{{- end }}
containers:
  - name: {{ $component }}
    image: {{ include "sluicegate.image" $root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args: {{ ternary (list "serve") (list "worker" $component) $serves | toJson }}
    env: {{- include "sluicegate.env" . | trim | nindent 6 }}
    ports:
      - {name: http, containerPort: 6066}
    startupProbe: # the port opens after the checks and the model
      httpGet: {path: /livez, port: http}
      periodSeconds: 2
      failureThreshold: {{ div (add (int $own.startupSeconds) 1) 2 }}
    livenessProbe: # fails for what only a new process can fix
      httpGet: {path: /livez, port: http}
      periodSeconds: 10
      timeoutSeconds: 5
    readinessProbe:
      httpGet: {path: /readyz, port: http}
      periodSeconds: 5
      timeoutSeconds: 5
    {{- if $preStop }}
    lifecycle: # the service must have stopped sending requests before the server stops taking them
      preStop:
        sleep:
          seconds: {{ $preStop }}
    {{- end }}
    resources: {{- $own.resources | toYaml | nindent 6 }}
    securityContext: {{- include "sluicegate.containerSecurity" . | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- if $hasModels }}
      - {name: models, mountPath: /models, readOnly: true}
      {{- end }}
      {{- if $hasQueue }}
      - {name: queue, mountPath: /var/lib/sluicegate}
      {{- end }}
      {{- range $number, $secret := concat $values.secrets $own.secrets }}
      - {name: secret-{{ $number }}, mountPath: {{ include "sluicegate.secretFolder" $secret.name }}, readOnly: true}
      {{- end }}
      {{- range $number, $config := concat $values.configMaps $own.configMaps }}
      - {name: config-{{ $number }}, mountPath: {{ include "sluicegate.configFolder" $config.name }}, readOnly: true}
      {{- end }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
  {{- if eq $values.model.source "initContainer" }}
  - name: models
    emptyDir:
      sizeLimit: {{ $values.model.initContainer.sizeLimit }}
  {{- else if $hasModels }}
  - name: models
    {{- $values.model.volume | toYaml | nindent 4 }}
  {{- end }}
  {{- if $hasQueue }}
  - name: queue
    persistentVolumeClaim:
      claimName: {{ include "sluicegate.fullname" $root }}-review-queue
  {{- end }}
  {{- range $number, $secret := concat $values.secrets $own.secrets }}
  - name: secret-{{ $number }}
    secret:
      secretName: {{ $secret.name }}
      defaultMode: 0440
  {{- end }}
  {{- range $number, $config := concat $values.configMaps $own.configMaps }}
  - name: config-{{ $number }}
    configMap:
      name: {{ $config.name }}
  {{- end }}
{{- if $values.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels: {{- include "sluicegate.selector" (list $root $component) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
