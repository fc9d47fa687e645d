"""The prompt of Qwen3Guard: what stands before and after the text that it assesses.

The checkpoint's own chat template writes it. It is rendered once, when the model is compiled, and kept in the compiled
folder, so a template is never run while the model serves.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from sluicegate.models.artifacts.files import read_json_bytes
from sluicegate.models.inference.chat_template import ChatMessage, ChatTemplate
from sluicegate.models.inference.prompts import Frame
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import CheckpointError, CompiledModelError, ContractError

GUARD_PROMPT_FILE: Final = "guard_prompt.json"

ANSWER: Final = "Safety:"
"""How every answer of Qwen3Guard begins. It is given, so that the model's first token is the verdict."""


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    before: str
    after: str


@dataclass(frozen=True)
class GuardPrompt:
    """The trusted text around the one that is assessed."""

    before: str
    after: str

    @property
    def lead(self) -> str:
        """Spaces that belong to the first token of the text: a token of Qwen3 begins with the space before a word."""
        return self.before[len(self.before.rstrip(" ")) :]

    @property
    def trail(self) -> str:
        """Line feeds that belong to the last token of the text: Qwen3 joins them to a sign before them."""
        return self.after[: len(self.after) - len(self.after.lstrip("\n"))]

    def frame(self, tokenizer: QueryTokenizer, *forced: str) -> Frame:
        """The tokens around those of `lead`, text and `trail`; `forced` parts of the answer end them."""
        static = self.before.removesuffix(self.lead)
        suffix = [self.after.removeprefix(self.trail) + ANSWER, *forced]
        return Frame(
            tuple(tokenizer.encode_template(static)),
            tuple(token for part in suffix for token in tokenizer.encode_template(part)),
        )


def render_guard_prompt(folder: Path, tokenizer: QueryTokenizer) -> GuardPrompt:
    """The prompt that the chat template in the checkpoint folder `folder` writes around a user's message.

    Raises:
        CheckpointError: there is no template, it refuses a single message, or it writes the message not exactly once.
    """
    try:
        template = ChatTemplate(folder, tokenizer, own_only=True)
        parts, places = template.render([ChatMessage("user", "")])
    except (CompiledModelError, ContractError) as error:
        raise CheckpointError(f"{folder}: {error}") from None
    if len(places) != 1:
        raise CheckpointError(
            f"{folder}: its chat template writes the user's message {len(places)} times, expected once: "
            "use a Qwen3Guard-Gen checkpoint as it was published."
        )
    return GuardPrompt(*parts)


def write_guard_prompt(folder: Path, prompt: GuardPrompt) -> None:
    """Keep `prompt` in the compiled folder."""
    kept = msgspec.json.encode(_Kept(prompt.before, prompt.after))
    (folder / GUARD_PROMPT_FILE).write_bytes(kept + b"\n")


def read_guard_prompt(folder: Path) -> GuardPrompt:
    """The prompt kept in the compiled `folder`; raises CompiledModelError where it is missing or unreadable."""
    path = folder / GUARD_PROMPT_FILE
    try:
        kept = msgspec.json.decode(read_json_bytes(path), type=_Kept)
    except (OSError, ValueError) as error:
        raise CompiledModelError(f"cannot read {path}: {error}. Compile the model again.") from error
    return GuardPrompt(kept.before, kept.after)
