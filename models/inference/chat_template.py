"""The chat template of a compiled checkpoint: from a conversation to the tokens that the model continues.

A template is a Jinja program of the checkpoint's authors that writes control tokens around the messages. It never sees
what users wrote: it gets a placeholder for each message, and the message's own tokens, none of which is a control
token, take the place of the placeholder afterwards.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NoReturn

import msgspec
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError, ContractError

ChatRole = Literal["system", "user", "assistant"]

TEMPLATE_FILE: Final = "chat_template.jinja"
_SETTINGS_FILE: Final = "tokenizer_config.json"

_QWEN3_WITHOUT_THINKING: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' }}"
)
"""For a checkpoint without a template: what Qwen3's own writes for messages of text when thinking is off."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation. `content` is untrusted."""

    role: ChatRole
    content: str


class _NamedTemplate(msgspec.Struct):
    name: str
    template: str


class _Settings(msgspec.Struct):
    chat_template: str | list[_NamedTemplate] | None = None


class ChatTemplate:
    """A checkpoint's way to write a conversation, with thinking off. Thread-safe."""

    def __init__(self, folder: Path, tokenizer: QueryTokenizer, *, own_only: bool = False) -> None:
        """Read the template that the model in `folder` keeps. Without one it is Qwen3's, unless `own_only`.

        Raises:
            CompiledModelError: it is unreadable, or is no Jinja template, or `own_only` and there is none.
        """
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
        try:
            source = _source(folder)
            if own_only and source is None:
                raise CompiledModelError("it has no chat template, and its model needs the template of its authors")
            self._template = environment.from_string(source or _QWEN3_WITHOUT_THINKING)
        except (OSError, UnicodeDecodeError, msgspec.DecodeError, TemplateError) as error:
            raise CompiledModelError(
                f"cannot read the chat template of {folder}: {error}. Compile the model again."
            ) from error
        self._tokenizer = tokenizer

    def encode(self, messages: Sequence[ChatMessage]) -> list[str]:
        """The tokens of `messages`, and of the beginning of the answer.

        Raises:
            ContractError: the template refuses this conversation, or leaves out a message.
            EngineFailed: the tokenizer failed.
        """
        trusted, places = self.render(messages)
        tokens = self._tokenizer.encode_template(trusted[0])
        for place, text in zip(places, trusted[1:], strict=True):
            tokens += self._tokenizer.encode(messages[place].content).tokens
            tokens += self._tokenizer.encode_template(text)
        return tokens

    def render(self, messages: Sequence[ChatMessage]) -> tuple[list[str], list[int]]:
        """The texts around the messages, and the places of the messages between them, one fewer.

        Raises:
            ContractError: the template refuses this conversation, or leaves out a message.
        """
        mark = secrets.token_hex(16)
        placeholders = [{"role": message.role, "content": f"{mark}.{place}."} for place, message in enumerate(messages)]
        try:
            rendered = self._template.render(messages=placeholders, add_generation_prompt=True, enable_thinking=False)
        except Exception as error:  # noqa: BLE001 - a template is a program: it may raise anything
            raise ContractError(
                f"the model's chat template refuses the conversation: {error} - at `$.messages`"
            ) from None
        trusted, places = [], []
        for index, part in enumerate(re.split(rf"{mark}\.(\d+)\.", rendered)):
            if index % 2:
                places.append(int(part))
            else:
                trusted.append(part)
        for place, message in enumerate(messages):
            if place not in places:
                raise ContractError(
                    f"the model's chat template has no place for this {message.role} message - at `$.messages[{place}]`"
                )
        return trusted, places


def _source(folder: Path) -> str | None:
    """The template's text: a file of its own, or a field of the tokenizer's settings, as transformers keeps it."""
    if (folder / TEMPLATE_FILE).is_file():
        return (folder / TEMPLATE_FILE).read_text()
    settings = folder / _SETTINGS_FILE
    kept = msgspec.json.decode(settings.read_bytes(), type=_Settings).chat_template if settings.is_file() else None
    if isinstance(kept, list):
        kept = next((named.template for named in kept if named.name == "default"), None)
    return kept


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _now(template: str) -> str:
    return datetime.now(UTC).strftime(template)
