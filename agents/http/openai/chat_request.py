"""From a request to a conversation and its options. Whatever we cannot honour is refused by its name."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from sluicegate.agents.http.openai.chat_types import ChatRequest, ContentPart, Message, ResponseFormat
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.chat import ChatOptions
from sluicegate.models.inference.chat_template import ChatMessage, ChatRole
from sluicegate.schemas.errors import RequestRefused, SchemaRefused

_ROLES: Final[Mapping[str, ChatRole]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}

_ASKS_FOR_NOTHING: Final[Mapping[str, tuple[object, ...]]] = {
    "annotations": ([],),
    "audio": (),
    "file": (),
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "image_url": (),
    "include_obfuscation": (False,),
    "input_audio": (),
    "logit_bias": ({},),
    "logprobs": (False,),
    "metadata": ({},),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "name": (),
    "parallel_tool_calls": (),
    "prediction": (),
    "presence_penalty": (0,),
    "prompt_cache_options": (),
    "prompt_cache_retention": (),
    "reasoning_effort": ("none",),
    "refusal": (),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "tool_call_id": (),
    "tool_calls": ([],),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
    "web_search_options": (),
}
"""Fields that are not supported, and values of them that ask for nothing, besides null. Clients send those."""


def options_of(asked: ChatRequest, max_tokens: int) -> ChatOptions:
    """How to answer; `max_tokens` is the most that the settings allow. Checking a schema takes some milliseconds.

    Raises:
        RequestRefused: the request asks for what we cannot do; names it.
    """
    _refuse_unsupported(asked, "$")
    if asked.stream_options is not None:
        if not asked.stream:
            raise RequestRefused("invalid_field", "`stream_options` needs `stream`: true", field="$.stream_options")
        _refuse_unsupported(asked.stream_options, "$.stream_options")
    options = ChatOptions(
        max_tokens=_max_tokens(asked, max_tokens),
        temperature=1.0 if asked.temperature is None else asked.temperature,
        top_p=1.0 if asked.top_p is None else asked.top_p,
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        schema=_schema_of(asked.response_format),
    )
    if options.schema and options.stop:
        raise RequestRefused("unsupported", "`stop` is not supported with JSON: it would cut it", field="$.stop")
    if asked.seed is not None and options.temperature:
        raise RequestRefused(
            "unsupported", "`seed` is supported with `temperature` 0 only: sampling cannot be repeated", field="$.seed"
        )
    return options


def messages_of(asked: ChatRequest) -> list[ChatMessage]:
    """The conversation.

    Raises:
        RequestRefused: a message is not one of text, or has another role than ours.
    """
    return [_message_of(message, f"$.messages[{place}]") for place, message in enumerate(asked.messages)]


def _schema_of(asked: ResponseFormat | None) -> FormatSchema | None:
    """The schema that the answer follows; None for free text."""
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return FormatSchema.from_json({"type": "object"})
    field = "$.response_format"
    if asked.type != "json_schema":
        raise RequestRefused(
            "unsupported", f"response_format {asked.type[:40]!r} is not supported", field=f"{field}.type"
        )
    if asked.json_schema is None:
        raise RequestRefused("invalid_field", "`json_schema` is missing", field=f"{field}.json_schema")
    try:
        return FormatSchema.from_json(asked.json_schema.schema)
    except SchemaRefused as error:
        raise RequestRefused("unsupported", str(error), field=f"{field}.json_schema.schema") from None


def _max_tokens(asked: ChatRequest, most: int) -> int:
    older, newer = asked.max_tokens, asked.max_completion_tokens
    if older is not None and newer is not None and older != newer:
        raise RequestRefused(
            "invalid_field", "`max_tokens` and `max_completion_tokens` differ: send one", field="$.max_tokens"
        )
    wanted = older or newer or most
    if wanted > most:
        name = "max_completion_tokens" if asked.max_tokens is None else "max_tokens"
        raise RequestRefused(
            "invalid_field",
            f"`{name}` is {wanted}, at most {most} is allowed (SLUICE_CHAT_MAX_TOKENS)",
            field=f"$.{name}",
        )
    return wanted


def _message_of(message: Message, field: str) -> ChatMessage:
    role = _ROLES.get(message.role)
    if role is None:
        supported = ", ".join(_ROLES)
        raise RequestRefused(
            "unsupported", f"role {message.role[:40]!r} is not supported: use {supported}", field=f"{field}.role"
        )
    _refuse_unsupported(message, field)
    if message.content is None:
        raise RequestRefused("invalid_field", "the message has no `content`", field=f"{field}.content")
    if isinstance(message.content, str):
        return ChatMessage(role, message.content)
    parts = [_text_of(part, f"{field}.content[{place}]") for place, part in enumerate(message.content)]
    return ChatMessage(role, "".join(parts))


def _text_of(part: ContentPart, field: str) -> str:
    if part.type != "text":
        raise RequestRefused(
            "unsupported", f"content of type {part.type[:40]!r} is not supported: send text", field=f"{field}.type"
        )
    _refuse_unsupported(part, field)
    if part.text is None:
        raise RequestRefused("invalid_field", "a part of type 'text' needs `text`", field=f"{field}.text")
    return part.text


def _refuse_unsupported(given: Struct, field: str) -> None:
    for name in given.__struct_fields__:
        value = getattr(given, name)
        if name not in _ASKS_FOR_NOTHING or value is None or value in _ASKS_FOR_NOTHING[name]:
            continue
        if name == "n":
            raise RequestRefused("unsupported", "`n` other than 1 is not supported", field=f"{field}.n")
        raise RequestRefused("unsupported", f"`{name}` is not supported", field=f"{field}.{name}")
