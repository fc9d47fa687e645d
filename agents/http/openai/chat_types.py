"""Requests and answers of `/v1/chat/completions`.

    https://platform.openai.com/docs/api-reference/chat

Fields that we cannot honour are here too, so that they can be refused by name; see `chat_request.py`.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from sluicegate.models.inference import chat

FinishReason = chat.FinishReason | Literal["content_filter"]
ServedBy = Annotated[
    Literal["upstream", "model"] | UnsetType,
    Meta(description="With SLUICE_UPSTREAM: the upstream API, or the compiled model, because that failed."),
]

Stop = Annotated[str, Meta(min_length=1, max_length=256)]
_UNSUPPORTED = "Not supported: refused, unless it asks for nothing."
Unsupported = Annotated[object, Meta(description=_UNSUPPORTED)]
Label = Annotated[str | None, Meta(description="Accepted. It changes nothing: nothing is stored.")]


class ContentPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One part of a message."""

    type: Annotated[str, Meta(description="`text`. Anything else is refused.")]
    text: str | None = None
    image_url: Unsupported = None
    input_audio: Unsupported = None
    file: Unsupported = None
    refusal: Unsupported = None


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message of the conversation."""

    role: Annotated[str, Meta(description="`system`, `developer`, `user` or `assistant`. Anything else is refused.")]
    content: str | list[ContentPart] | None = None
    name: Unsupported = None
    refusal: Unsupported = None
    audio: Unsupported = None
    annotations: Unsupported = None
    function_call: Unsupported = None
    tool_calls: Unsupported = None
    tool_call_id: Unsupported = None


class StreamOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a stream contains besides the answer."""

    include_usage: Annotated[bool | None, Meta(description="A last chunk with the numbers of tokens.")] = None
    include_obfuscation: Unsupported = None


class JsonSchemaFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON Schema that the answer follows."""

    name: Annotated[str, Meta(description="Accepted. It changes nothing.", max_length=64)] = ""
    description: Annotated[str | None, Meta(description="Accepted. It changes nothing.")] = None
    schema: Annotated[dict[str, object], Meta(description="JSON Schema 2020-12; what is not supported is refused.")]
    strict: Annotated[bool | None, Meta(description="Accepted: an answer always follows the schema.")] = None


class ResponseFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Free text, any JSON object, or JSON that follows a schema."""

    type: Annotated[str, Meta(description="`text`, `json_object` or `json_schema`.")]
    json_schema: JsonSchemaFormat | None = None


class ChatRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A conversation, and how to answer it."""

    model: Annotated[str, Meta(description="The served model's name or version.")]
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_tokens: (
        Annotated[int, Meta(ge=1, description="At most SLUICE_CHAT_MAX_TOKENS, which is the default.")] | None
    ) = None
    max_completion_tokens: Annotated[int, Meta(ge=1, description="The newer name of `max_tokens`.")] | None = None
    stop: Stop | Annotated[list[Stop], Meta(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: Annotated[int | None, Meta(description="With `temperature` 0 only: sampling cannot be repeated.")] = None
    n: Annotated[int | None, Meta(description="Only 1.")] = None
    response_format: ResponseFormat | None = None
    user: Label = None
    safety_identifier: Label = None
    prompt_cache_key: Label = None
    audio: Unsupported = None
    frequency_penalty: Unsupported = None
    function_call: Unsupported = None
    functions: Unsupported = None
    logit_bias: Unsupported = None
    logprobs: Unsupported = None
    metadata: Unsupported = None
    modalities: Unsupported = None
    moderation: Unsupported = None
    parallel_tool_calls: Unsupported = None
    prediction: Unsupported = None
    presence_penalty: Unsupported = None
    prompt_cache_options: Unsupported = None
    prompt_cache_retention: Unsupported = None
    reasoning_effort: Unsupported = None
    service_tier: Unsupported = None
    store: Unsupported = None
    tool_choice: Unsupported = None
    tools: Unsupported = None
    top_logprobs: Unsupported = None
    verbosity: Unsupported = None
    web_search_options: Unsupported = None


class Usage(Struct, frozen=True, kw_only=True):
    """Numbers of tokens. Those of the answer include its end token."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AnswerMessage(Struct, frozen=True, kw_only=True):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(Struct, frozen=True, kw_only=True):
    """The one answer of a completion."""

    index: int = 0
    message: AnswerMessage
    finish_reason: Annotated[
        FinishReason, Meta(description="`length`: cut after `max_tokens`. `content_filter`: cut by the gate.")
    ]
    logprobs: None = None


class ChatCompletion(Struct, frozen=True, kw_only=True):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: Annotated[str, Meta(description="The version of the model that answered.")]
    choices: list[Choice]
    usage: Usage
    served_by: ServedBy = UNSET


class Delta(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a chunk adds to the answer."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET


class ChunkChoice(Struct, frozen=True, kw_only=True):
    """A piece of the one answer. The last one says how it ended."""

    index: int = 0
    delta: Delta
    finish_reason: FinishReason | None = None
    logprobs: None = None


class ChatChunk(Struct, frozen=True, kw_only=True):
    """One server-sent event of a stream. With `include_usage`, `usage` is null in all chunks but the last."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET
    served_by: ServedBy = UNSET
