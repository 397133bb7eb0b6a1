{{/* The labels of all objects: (dict "root" $ "name" NAME "role" ROLE) */}}
{{- define "revertrisk.labels" -}}
{{ include "revertrisk.selector" . }}
app.kubernetes.io/component: {{ .role }}
app.kubernetes.io/part-of: revertrisk
app.kubernetes.io/version: {{ include "revertrisk.labelValue" .root.Chart.AppVersion }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | include "revertrisk.labelValue" }}
{{- end }}

{{/* A version in the form of a label: no + or :, at most 63 characters, a letter or digit at both ends. */}}
{{- define "revertrisk.labelValue" -}}
{{ regexReplaceAll "[^A-Za-z0-9._-]" . "_" | trunc 63 | trimAll "-_." | quote }}
{{- end }}

{{/* The selector of the pods of one workload: (dict "root" $ "name" NAME) */}}
{{- define "revertrisk.selector" -}}
app.kubernetes.io/name: {{ .name | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end }}

{{/* The labels that KServe copies to the pods, in addition to its own. */}}
{{- define "revertrisk.podLabels" -}}
{{ include "revertrisk.selector" . }}
app.kubernetes.io/component: {{ .role }}
app.kubernetes.io/part-of: revertrisk
{{- end }}

{{/* plain, RawDeployment or Serverless */}}
{{- define "revertrisk.mode" -}}
{{ ternary .Values.kserve.deployment_mode "plain" .Values.kserve.enabled }}
{{- end }}

{{- define "revertrisk.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- with omit .Values.securityContext "fsGroup" }}
{{ toYaml . }}
{{- end }}
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "revertrisk.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.securityContext }}
{{ toYaml . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* The fields of a pod that select its nodes, for every pod of the chart; empty without values. */}}
{{- define "revertrisk.scheduling" -}}
{{- with .Values.scheduling.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.scheduling.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.scheduling.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{/*
Stops helm if a variable has a secret as its value, belongs elsewhere, or names a file of a Secret that is not mounted:
(dict "at" PATH "variables" LIST "kafka_secret" NAME "secret_at" PATH)
*/}}
{{- define "revertrisk.checkVariables" -}}
{{- range .variables }}
{{- if and (has .name (list "KAFKA_SASL_PASSWORD" "KAFKA_SSL_KEY_PASSWORD" "AWS_SECRET_ACCESS_KEY" "AWS_SESSION_TOKEN")) (hasKey . "value") }}
{{- fail (printf "%s: expected %s with valueFrom and a secretKeyRef: a value can be read by everyone who can read the Deployment" $.at .name) }}
{{- end }}
{{- if eq .name "SURGE_WEBHOOK_URL" }}
{{- fail (printf "%s: SURGE_WEBHOOK_URL would be given to the lake or the dashboard too: put the address into a Secret as its entry url, and the Secret's name into analytics.surge.webhook_secret" $.at) }}
{{- end }}
{{- if and (hasPrefix "/etc/kafka/" (.value | default "")) (not $.kafka_secret) }}
{{- fail (printf "%s: expected the name of the Secret with the file that %s in %s names; without it nothing is mounted at /etc/kafka" $.secret_at .name $.at) }}
{{- end }}
{{- end }}
{{- end }}

{{/* A service's predictor, merged over the common one: (dict "root" $ "service" SERVICE); as YAML */}}
{{- define "revertrisk.predictor" -}}
{{ mergeOverwrite (deepCopy .root.Values.inference.predictor) (.service.predictor | default dict) | toYaml }}
{{- end }}

{{/*
The seconds that a pod has to stop: the sum of the server's own limits, and a margin. Knative has no field for it; a
revision's timeout is also the grace period of its pods.
*/}}
{{- define "revertrisk.gracePeriod" -}}
{{- $shutdown := .Values.inference.shutdown }}
{{- if lt (int $shutdown.grace_seconds) (int .Values.inference.request_deadline_seconds) }}
{{- fail "inference.shutdown.grace_seconds: expected at least inference.request_deadline_seconds, so that a stopping pod finishes its requests" }}
{{- end }}
{{- add $shutdown.pre_stop_seconds $shutdown.delay_seconds $shutdown.grace_seconds 5 }}
{{- end }}

{{/*
The environment of a server, by name; as YAML: (dict "root" $ "name" NAME "service" SERVICE)

The client must close idle connections before the server does: a request on a connection that the server is closing
fails. Knative's queue-proxy closes idle connections after 90 s, the Envoy of a gateway or mesh after an hour.
*/}}
{{- define "revertrisk.environment" -}}
{{- $predictor := include "revertrisk.predictor" . | fromYaml }}
{{- $inference := .root.Values.inference }}
{{- $mode := include "revertrisk.mode" .root }}
{{- $variables := dict
  "ENABLE_GRPC" (dict "name" "ENABLE_GRPC" "value" "false")
  "KEEP_ALIVE_SECONDS" (dict "name" "KEEP_ALIVE_SECONDS" "value" (ternary "120" "3660" (eq $mode "Serverless")))
  "LOG_FORMAT" (dict "name" "LOG_FORMAT" "value" "ecs")
}}
{{- range concat ($predictor.base_env | default list) ($predictor.custom_env | default list) }}
{{- $_ := set $variables .name . }}
{{- end }}
{{- range $name, $value := dict
  "HTTP_PORT" 8080
  "REQUEST_DEADLINE" $inference.request_deadline_seconds
  "SHUTDOWN_DELAY_SECONDS" $inference.shutdown.delay_seconds
  "SHUTDOWN_GRACE_SECONDS" $inference.shutdown.grace_seconds
}}
{{- $_ := set $variables $name (dict "name" $name "value" (toString $value)) }}
{{- end }}
{{- if not (hasKey $variables "MODEL_NAME") }}
{{- fail (printf "inference_services.%s.predictor.custom_env: expected MODEL_NAME, the name of the model" .name) }}
{{- end }}
{{- range list "EVENTGATE_URL" "EVENTGATE_STREAM" }}
{{- if and (eq $.service.role "producer") (not (hasKey $variables .)) }}
{{- fail (printf "inference_services.%s.predictor.custom_env: expected %s, which a producer needs" $.name .) }}
{{- end }}
{{- end }}
{{ toYaml $variables }}
{{- end }}

{{/* Variables that the server no longer reads, and what replaced them. The schema still accepts their names. As YAML */}}
{{- define "revertrisk.removedSettings" -}}
EVENTGATE_BATCH_MAX: each prediction is sent alone
REVISION_CACHE_BYTES: no text is kept between requests
WIKI_LIMIT: one wiki's share follows from QUEUE_LIMIT
{{- end }}

{{/* The checked config of a service, for its pods and its autoscaler: (dict "root" $ "name" NAME "service" SERVICE); as YAML */}}
{{- define "revertrisk.config" -}}
{{- $config := (include "revertrisk.predictor" . | fromYaml).config }}
{{- if gt (int $config.minReplicas) (int $config.maxReplicas) }}
{{- fail (printf "inference_services.%s.predictor.config: expected minReplicas (%v) to be at most maxReplicas (%v)" .name $config.minReplicas $config.maxReplicas) }}
{{- end }}
{{- if and (ne (include "revertrisk.mode" .root | trim) "Serverless") (eq (int $config.minReplicas) 0) }}
{{- fail (printf "inference_services.%s.predictor.config.minReplicas: expected at least 1: only in Serverless mode a request starts a pod" .name) }}
{{- end }}
{{ toYaml $config }}
{{- end }}

{{/* The server's container: (dict "root" $ "name" NAME "service" SERVICE) */}}
{{- define "revertrisk.serverContainer" -}}
{{- $mode := include "revertrisk.mode" .root }}
{{- $predictor := include "revertrisk.predictor" . | fromYaml }}
{{- $variables := include "revertrisk.environment" . | fromYaml }}
- name: {{ ternary "server" "kserve-container" (eq $mode "plain") }}
  image: {{ printf "%s/%s:%s" .root.Values.docker.registry $predictor.image $predictor.image_version | quote }}
  imagePullPolicy: {{ .root.Values.docker.imagePullPolicy | quote }}
  ports:
    - name: {{ ternary "http" "http1" (eq $mode "plain") }}
      containerPort: 8080
      protocol: TCP
  env:
    {{- range $variables }}
    - {{ toYaml . | nindent 6 | trim }}
    {{- end }}
  resources:
    {{- toYaml $predictor.container.resources | nindent 4 }}
  # 503 from SIGTERM on, while predictions are still served. Two failures take less time than the shutdown delay.
  readinessProbe:
    httpGet: {path: /v2/health/ready, port: 8080}
    periodSeconds: 2
    timeoutSeconds: 2
    failureThreshold: 2
  livenessProbe:
    httpGet: {path: /v2/health/live, port: 8080}
    initialDelaySeconds: {{ ternary 30 0 (eq $mode "Serverless") }}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 3
  {{- if ne $mode "Serverless" }}
  startupProbe:
    httpGet: {path: /v2/health/live, port: 8080}
    periodSeconds: 2
    timeoutSeconds: 2
    failureThreshold: 60
  # Knative does not accept a lifecycle; it has its own preStop hook.
  lifecycle:
    preStop:
      exec:
        command: [sleep, {{ .root.Values.inference.shutdown.pre_stop_seconds | quote }}]
  {{- end }}
  securityContext:
    {{- include "revertrisk.containerSecurity" .root | nindent 4 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    {{- if $predictor.files }}
    - name: files
      mountPath: /etc/revertrisk
      readOnly: true
    {{- end }}
    {{- if and (eq $mode "plain") (hasKey $variables "STORAGE_URI") }}
    - name: model
      mountPath: /mnt/models
      readOnly: true
    {{- end }}
{{- end }}

{{/* Pods prefer different nodes: (dict "root" $ "name" NAME) */}}
{{- define "revertrisk.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "revertrisk.selector" . | nindent 6 }}
{{- end }}

{{/* An egress rule to a mock: (dict "name" NAME "port" PORT) */}}
{{- define "revertrisk.toMock" -}}
- to:
    - podSelector:
        matchLabels: {app.kubernetes.io/name: {{ .name }}, app.kubernetes.io/part-of: revertrisk}
  ports:
    - {port: {{ .port }}, protocol: TCP}
{{- end }}

{{/* The address of the lake. On a volume it is a subfolder, because the root can have folders of the file system. */}}
{{- define "revertrisk.lakeAt" -}}
{{ .Values.analytics.lake.to | default "/var/lib/revertrisk/lake" }}
{{- end }}
