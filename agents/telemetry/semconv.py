"""The names of all attributes, spans and metrics that Sluicegate reports.

Names come from four vocabularies:

* `messaging.*`: OpenTelemetry messaging conventions, https://opentelemetry.io/docs/specs/semconv/messaging/ (Kafka page
  included), status Development;
* `gen_ai.*`: OpenTelemetry GenAI conventions, https://github.com/open-telemetry/semantic-conventions-genai, status
  Development;
* `http.*`: OpenTelemetry HTTP conventions, https://opentelemetry.io/docs/specs/semconv/http/, status Stable;
* `sluicegate.*`: Sluicegate's own, where the conventions have no name.

They are plain strings, because the Python constants for conventions in development live in a private module that may
change in any release. A test compares them with the installed one.
"""

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
"""The version of the conventions that the names below follow."""

# Attributes: messaging
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_SYSTEM_KAFKA: Final = "kafka"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_OPERATION_TYPE_PROCESS: Final = "process"
MESSAGING_OPERATION_TYPE_SEND: Final = "send"
MESSAGING_DESTINATION_NAME: Final = "messaging.destination.name"
MESSAGING_DESTINATION_PARTITION_ID: Final = "messaging.destination.partition.id"
"""A string in the conventions, although it is a number in Kafka."""
MESSAGING_CONSUMER_GROUP_NAME: Final = "messaging.consumer.group.name"
MESSAGING_KAFKA_OFFSET: Final = "messaging.kafka.offset"
MESSAGING_MESSAGE_BODY_SIZE: Final = "messaging.message.body.size"
MESSAGING_BATCH_MESSAGE_COUNT: Final = "messaging.batch.message_count"

# Attributes: GenAI
GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
GEN_AI_OPERATION_CHAT: Final = "chat"
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GEN_AI_PROVIDER_CTRANSLATE2: Final = "ctranslate2"
"""Our value: the conventions list hosted providers only, and allow others."""
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 -- a token of text, not a secret
GEN_AI_TOKEN_TYPE_INPUT: Final = "input"  # noqa: S105 -- likewise
GEN_AI_TOKEN_TYPE_OUTPUT: Final = "output"  # noqa: S105 -- likewise

# Attributes: HTTP
HTTP_REQUEST_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"

# Attributes: general, https://opentelemetry.io/docs/specs/semconv/registry/attributes/
ERROR_TYPE: Final = "error.type"
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"

# Attributes: Sluicegate's own
EVENT_ID: Final = "sluicegate.event_id"
VERDICT: Final = "sluicegate.verdict"
CATEGORY: Final = "sluicegate.category"
INTENT: Final = "sluicegate.intent"
POLICY_VERSION: Final = "sluicegate.policy.version"
REASON_CODES: Final = "sluicegate.reason_codes"
ANSWERED_BY: Final = "sluicegate.answered_by"
"""model, cache, in_flight or policy: see `agents.deciding.answer_cache`."""
DEGRADED: Final = "sluicegate.degraded"
"""On a span: why the event was decided without the model."""
REASON: Final = "sluicegate.reason"
DUPLICATE: Final = "sluicegate.duplicate"
"""On a span: the event was decided before, and nothing was published for it."""
STAGE: Final = "sluicegate.stage"
BATCH_SIZE: Final = "sluicegate.batch.size"
REVIEWER: Final = "sluicegate.reviewer"
"""On metrics the kind: api, model, people or policy. On a span the name too."""
FALLBACK: Final = "sluicegate.fallback"
RESULT: Final = "sluicegate.result"
FIRST_DECISION: Final = "sluicegate.first_decision"
"""`answered`, or why there is no answer."""
UPSTREAM: Final = "sluicegate.upstream"
TOPICS: Final = "sluicegate.topics"
"""Every topic that one publish span writes to; `messaging.destination.name` can hold only one."""

ASKED_FOR: Final = "sluicegate.second.asked_for"
"""review, block, readings or sample: see `models.inference.cascade`."""
SCREENED: Final = "sluicegate.second.screened"
"""The verdict of the screen alone."""

# Spans
SPAN_PROCESS: Final = "process"
"""Followed by the input topic: "process queries.raw"."""
SPAN_PUBLISH: Final = "publish"
SPAN_REVIEW: Final = "review"
SPAN_BATCH: Final = "sluicegate.batch"
SPAN_SECOND: Final = "second"

# Metrics: from the conventions
METRIC_PROCESS_DURATION: Final = "messaging.process.duration"
METRIC_REQUEST_DURATION: Final = "http.server.request.duration"
METRIC_UPTIME: Final = "process.uptime"
METRIC_TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 -- likewise

# Metrics: Sluicegate's own
METRIC_STAGE_DURATION: Final = "sluicegate.stage.duration"
METRIC_BATCH_SIZE: Final = "sluicegate.batch.size"
METRIC_QUEUE_DEPTH: Final = "sluicegate.queue.depth"
METRIC_EVENTS_IN_FLIGHT: Final = "sluicegate.events.in_flight"
METRIC_READY: Final = "sluicegate.ready"
METRIC_CONSUMER_LAG: Final = "sluicegate.consumer.lag"
METRIC_COMMIT_LATE: Final = "sluicegate.commit.late"
METRIC_VERDICTS: Final = "sluicegate.verdicts"
METRIC_DEADLETTERS: Final = "sluicegate.deadletters"
METRIC_ANSWERS: Final = "sluicegate.answers"
METRIC_DEGRADED: Final = "sluicegate.degraded"
METRIC_DUPLICATES: Final = "sluicegate.duplicates"
METRIC_SECOND_OUTCOMES: Final = "sluicegate.second.outcomes"
METRIC_SECOND_DURATION: Final = "sluicegate.second.duration"
METRIC_SECOND_WAITING: Final = "sluicegate.second.waiting"
METRIC_SECOND_CIRCUIT: Final = "sluicegate.second.circuit"
METRIC_REVIEW_DURATION: Final = "sluicegate.review.duration"
METRIC_REVIEW_DECISIONS: Final = "sluicegate.review.decisions"
METRIC_REVIEW_FALLBACKS: Final = "sluicegate.review.fallbacks"
METRIC_REVIEW_HELD: Final = "sluicegate.review.held"
METRIC_REVIEW_WAITING: Final = "sluicegate.review.waiting"
METRIC_REVIEW_CHECKED: Final = "sluicegate.review.checked"
METRIC_UPSTREAM_ATTEMPTS: Final = "sluicegate.upstream.attempts"
METRIC_UPSTREAM_COST: Final = "sluicegate.upstream.cost"
METRIC_UPSTREAM_TOKENS: Final = "sluicegate.upstream.tokens"
METRIC_UPSTREAM_CIRCUIT: Final = "sluicegate.upstream.circuit"
METRIC_UPSTREAM_COST_PER_1000: Final = "sluicegate.upstream.cost_per_1000"
METRIC_UPSTREAM_BUDGET_LEFT: Final = "sluicegate.upstream.budget_left"
METRIC_CHATS: Final = "sluicegate.chats"
METRIC_UPSTREAM_DURATION: Final = "sluicegate.upstream.duration"
METRIC_UPSTREAM_JSON: Final = "sluicegate.upstream.json"

# Attributes of these
SERVED_BY: Final = "sluicegate.served_by"
OUTCOME_OF_JSON: Final = "sluicegate.outcome"
SECOND_OUTCOME: Final = "sluicegate.outcome"
"""allow, review, block, or why the second model did not answer: overloaded, failed."""
