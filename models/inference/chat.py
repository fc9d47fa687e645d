"""Chat with a compiled Qwen3 model: a conversation in, an answer out, piece by piece while it is written.

A model that chats has its own copy of the weights and its own threads, so that the gate never waits for a chat.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import ctranslate2
import msgspec

from sluicegate.models.artifacts.manifest import Manifest, PromptStyleName, read_manifest
from sluicegate.models.artifacts.servable import check_servable
from sluicegate.models.formatting.grammars import Grammars
from sluicegate.models.formatting.guided_decoder import Draft, GuidedDecoder
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.chat_template import ChatMessage, ChatTemplate
from sluicegate.models.inference.chat_text import BYTES, AnswerText
from sluicegate.models.inference.device import prefer_avx512
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import CannotChat, CompiledModelError, EngineFailed, PromptTooLong

FinishReason = Literal["stop", "length"]

CHAT_STYLES: Final[frozenset[PromptStyleName]] = frozenset({"zero_shot", "adapted"})
"""The prompt styles of Qwen3 models. The others classify and cannot write."""

_COLDEST: Final = 1e-4
"""Below this temperature sampling takes the most probable token anyway, and the division by it overflows in the end."""

_END_TOKENS: Final = ("<|im_end|>", "<|endoftext|>")


def check_can_chat(manifest: Manifest) -> None:
    """Raises CannotChat for a model that only judges."""
    if manifest.prompt_style not in CHAT_STYLES:
        raise CannotChat(
            f"the model {manifest.name} judges queries and cannot chat: compile a Qwen3 model, as "
            "`sluice models pull qwen3-0.6b` does, and set SLUICE_MODEL to its folder."
        )


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How an answer is written.

    A `temperature` or `top_p` of 0 always takes the most probable token. `stop` has no empty string, and none with a
    `schema`: then the answer is JSON that follows it.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    schema: FormatSchema | None = None

    @property
    def sampling(self) -> dict[str, float]:
        """The same for CTranslate2."""
        greedy = self.temperature < _COLDEST or self.top_p == 0
        return {
            "sampling_topk": 1 if greedy else 0,
            "sampling_topp": 1 if greedy else self.top_p,
            "sampling_temperature": 1 if greedy else self.temperature,
        }


@dataclass(frozen=True, slots=True)
class ChatEnd:
    """How an answer ended. `length`: it was cut after `max_tokens`. `answer_tokens` includes the end token."""

    reason: FinishReason
    prompt_tokens: int
    answer_tokens: int


class ChatModel:
    """A Qwen3 model that is ready to chat. Thread-safe; `answer` blocks and releases the GIL."""

    def __init__(
        self,
        folder: Path,
        *,
        device: Literal["cpu", "cuda"] = "cpu",
        compute_type: str = "default",
        threads: int = 0,
        at_once: int = 1,
        max_prompt_tokens: int = 4096,
    ) -> None:
        """Load the compiled model in `folder`; up to `at_once` answers are written in parallel.

        Raises:
            CannotChat: the model is no Qwen3 model.
            CompiledModelError: the folder is incomplete or damaged.
        """
        check_can_chat(read_manifest(folder))
        self.folder = folder
        self.manifest = check_servable(folder)
        self._tokenizer = QueryTokenizer(folder)
        self._template = ChatTemplate(folder, self._tokenizer)
        self._silent = self._tokens_without_text(folder)
        self._max_prompt_tokens = max_prompt_tokens
        self._grammars: Grammars | None = None
        self._lock = threading.Lock()
        if device == "cpu":
            prefer_avx512()
        try:
            self._generator: Any = ctranslate2.Generator(
                str(folder), device=device, compute_type=compute_type, inter_threads=at_once, intra_threads=threads
            )
        except (RuntimeError, ValueError) as error:
            raise CompiledModelError(
                f"cannot load {folder} on {device} as {compute_type}: {error}. "
                "Compile the model again, or choose another device or type."
            ) from None

    def _tokens_without_text(self, folder: Path) -> list[list[str]]:
        """The control tokens and the unused ones. An answer never contains them, except for the end."""
        text = self._tokenizer.text_tokens()
        if unknown := next((token for token in text if not BYTES.keys() >= set(token)), None):
            raise CompiledModelError(
                f"{folder}: the tokenizer is not byte-level, as Qwen3's is: it has {unknown!r}. Use a Qwen3 model."
            )
        vocabulary = msgspec.json.decode((folder / "vocabulary.json").read_bytes(), type=list[str])
        return [[token] for token in vocabulary if token not in text and token not in _END_TOKENS]

    def answer(self, messages: Sequence[ChatMessage], options: ChatOptions, write: Callable[[str], bool]) -> ChatEnd:
        """Write the answer to `messages`: `write` gets each piece of its text, in another thread.

        `write` is called after each token, with an empty string where the token completes no character. The answer
        ends early when it returns True.

        Raises:
            PromptTooLong: the conversation has more than `max_prompt_tokens` tokens.
            ContractError: the model's chat template does not accept the conversation.
            EngineFailed: the model or the tokenizer failed, or JSON breaks a rule that the grammar does not know.
        """
        prompt = self._template.encode(messages)
        if len(prompt) > self._max_prompt_tokens:
            raise PromptTooLong(
                f"the conversation has {len(prompt)} tokens, at most {self._max_prompt_tokens} are allowed: "
                "shorten it - at `$.messages`"
            )
        if options.schema:
            return self._answer_in_json(prompt, options, options.schema, write)
        text = AnswerText(options.stop)
        written = 0
        ended = False

        def take(step: Any) -> bool:
            nonlocal written, ended
            written += 1
            ended = step.token in _END_TOKENS
            return write("" if ended else text.add(step.token)) or text.stopped

        try:
            self._generator.generate_batch(
                [prompt],
                max_length=options.max_tokens,
                include_prompt_in_result=False,
                end_token=list(_END_TOKENS),
                suppress_sequences=self._silent,
                **options.sampling,
                callback=take,
            )
        except (RuntimeError, ValueError, MemoryError) as error:
            raise EngineFailed(f"the model failed in a chat: {error}") from error
        if rest := text.end():
            write(rest)
        return ChatEnd("stop" if ended or text.stopped else "length", len(prompt), written)

    def _answer_in_json(
        self, prompt: list[str], options: ChatOptions, schema: FormatSchema, write: Callable[[str], bool]
    ) -> ChatEnd:
        grammars = self._grammars_of_model()
        text = AnswerText()
        draft = Draft(
            prompt,
            (),
            grammars.matcher(schema.grammar),
            options.max_tokens,
            kept=lambda token: write(text.add(grammars.vocabulary[token])),
        )
        GuidedDecoder(self._generator, grammars.vocabulary, grammars.eos, sampling=options.sampling).run([draft])
        if draft.end in ("engine", "grammar"):
            raise EngineFailed(f"the model failed in a chat: {draft.problem}")
        broken = schema.read(grammars.text(draft.ids))[1] if draft.end == "finished" else None
        if broken:
            raise EngineFailed(f"the answer breaks `{broken.keyword}` at `${broken.pointer}`: ask again")
        return ChatEnd("stop" if draft.end == "finished" else "length", len(prompt), len(draft.ids))

    def _grammars_of_model(self) -> Grammars:
        """Made for the first answer in JSON: reading the vocabulary takes a second."""
        with self._lock:
            if self._grammars is None:
                self._grammars = Grammars(self.folder, self._tokenizer)
            return self._grammars
