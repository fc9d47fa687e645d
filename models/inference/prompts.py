"""How each prompt style of a generator asks it and reads its answer.

The tokens of the query are between `static` and `suffix`.

    style       model                    asked                                     says
    zero_shot   stock Qwen3              chat template, thinking off, twice        letter; topic | query | synonyms
    adapted     Qwen3 tuned by LoRA      query <|im_end|>                          verdict action intent
                                         query <|im_start|> hint <|im_end|>

In the style `adapted` each word of the answer is one token, so most answers are three tokens. The action is "keep" (the
query needs no rewrite), "take the hint" (the speller's correction, in the prompt), or the text ``query | synonyms`` for
what is neither. The intent comes last, so that it ends the answer. If the verdict is not `allow`, it is the whole
answer.

`static` is the same for every query, so the engine keeps its key-value state. It is short because that state is copied
at every decoding step; a model that was trained for the task needs none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.inference.labels import ALLOW, LABELS, Intent
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.reason_codes import AnswerCode

PROMPT_VERSIONS: Final[dict[PromptStyleName, str]] = {
    "embedded": "encoder-1",
    "adapted": "adapted-2",
    "zero_shot": "zero-shot-2",
    "qwen3guard": "qwen3guard-1",
    "formatter": "formatter-1",
}
"""Changes with every change of a prompt or of the answer's format; written into manifests and events."""


@dataclass(frozen=True)
class Frame:
    """The tokens around a query's own."""

    static: tuple[str, ...]
    suffix: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What the model wrote after the verdict, parsed but not yet checked.

    `rewrite` is None for "keep the query", and where the model `takes_hint`.
    """

    intent: Intent
    rewrite: str | None
    synonyms: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    codes: tuple[AnswerCode, ...] = ()
    takes_hint: bool = False


@dataclass(frozen=True)
class PromptStyle:
    """One way of asking. `label_ids` are the first tokens of `models.inference.labels.LABELS`, in that order."""

    version: str
    gate: Frame
    rewrite: Frame
    label_ids: tuple[int, ...]
    stops: tuple[str, ...]
    """The verdicts after which the generation ends. Empty where the answer has its own prompt."""
    ends: tuple[str, ...]
    """The tokens that end an answer."""
    parse: Callable[[Sequence[int]], Answer]
    filler: str | None
    """A token that changes nothing at the end of a query: queries are filled up to a few lengths with it."""
    takes_hints: bool
    """Whether the prompt has the speller's correction."""

    def filled(self, query: Sequence[str]) -> tuple[str, ...]:
        """The tokens of `query`, filled up to a multiple of `FILLER_WIDTH` where the style has a filler.

        The filling depends on the query alone, so an answer does not depend on the rest of the batch.
        """
        return (*query, *(self.filler,) * (-len(query) % FILLER_WIDTH)) if self.filler else tuple(query)

    def with_hint(self, query: Sequence[str], hint: Sequence[str]) -> tuple[str, ...]:
        """The tokens of a query and of its hint, which may be empty, as they stand in the prompt."""
        return (*self.filled(query), HINT, *hint) if hint else self.filled(query)


def prompt_style_for(name: PromptStyleName, tokenizer: QueryTokenizer) -> PromptStyle:
    """The prompt style called `name` in the vocabulary of `tokenizer`.

    Raises:
        CompiledModelError: the vocabulary lacks a token that the style needs, or the style does not judge queries.
    """
    if name == "formatter":
        raise CompiledModelError(
            "the model was tuned to format and cannot judge queries: serve it as the formatter's model, and set "
            "SLUICE_MODEL to another one"
        )
    return _adapted(tokenizer) if name == "adapted" else _zero_shot(tokenizer)


FILLER_WIDTH: Final = 4
"""For Qwen3-0.6B in int8 on two cores, in a batch of 32, a filler token costs a query a third of a decoding step. Full
batches of a few lengths are worth that."""


def _unreadable(intent: Intent) -> Answer:
    return Answer(intent, None, codes=(AnswerCode.UNREADABLE,))


_IM_END: Final = "<|im_end|>"
_TOPICS: Final = frozenset(Intent)

GATE_LETTERS: Final = ascii_uppercase[: len(LABELS)]
"""The names of the labels: one byte each, so one token each, and all different, in any byte-level vocabulary."""

ALLOW_LETTER: Final = GATE_LETTERS[LABELS.index(ALLOW)]

INTENT_LETTERS: Final[dict[Intent, str]] = dict(
    zip(Intent, ascii_uppercase[len(LABELS) : len(LABELS) + len(Intent)], strict=True)
)
"""The names of the intents in the style `adapted`. Text in its answers is in lower case, so it has none of them."""

KEEP: Final = ascii_uppercase[-1]
HINT: Final = "<|im_start|>"
"""In a prompt, the hint follows. In an answer, the model takes it. It is a control token, so no query contains it."""

_GATE_INSTRUCTION: Final = (
    "Judge the search query. "
    + ", ".join(f"{letter} {label.replace('_', ' ')}" for letter, label in zip(GATE_LETTERS, LABELS, strict=True))
    + ". Reply with one letter."
)
_REWRITE_INSTRUCTION: Final = (
    "Reply in one line: topic | the search query with its spelling corrected | synonyms. Topics: "
    + ", ".join(Intent)
    + "."
)


def _line_parser(tokenizer: QueryTokenizer) -> Callable[[Sequence[int]], Answer]:
    """Reads ``topic | query | synonym, synonym``. Without a query, or with anything else, the query is kept."""
    end = tokenizer.id_of(_IM_END)

    def parse(ids: Sequence[int]) -> Answer:
        whole = bool(ids) and ids[-1] == end
        text = tokenizer.decode(ids[:-1] if whole else ids).strip()
        topic, *rest = [part.strip() for part in text.split("|")]
        topic = topic.lower().replace(" ", "_")
        intent = Intent(topic) if topic in _TOPICS else Intent.OTHER
        if topic not in _TOPICS or len(rest) > 2 or "\n" in text:
            return _unreadable(intent)
        return _written(intent, rest, whole=whole)

    return parse


def _written(intent: Intent, parts: Sequence[str], *, whole: bool) -> Answer:
    """The answer with the texts ``query`` and ``synonym, synonym``. The last one is left out if it may be cut."""
    rewrite = (parts[0] if parts else None) or None
    synonyms = tuple(synonym.strip() for synonym in parts[1].split(",")) if len(parts) == 2 else ()
    if whole:
        return Answer(intent, rewrite, synonyms)
    return Answer(intent, rewrite if synonyms else None, synonyms[:-1], codes=(AnswerCode.CUT,))


def _adapted_parser(tokenizer: QueryTokenizer) -> Callable[[Sequence[int]], Answer]:
    """Reads an action and the intent. An action that is no token of its own is ``query | synonym, synonym``."""
    intents = {tokenizer.id_of(letter): intent for intent, letter in INTENT_LETTERS.items()}
    keep, hint = tokenizer.id_of(KEEP), tokenizer.id_of(HINT)

    def parse(ids: Sequence[int]) -> Answer:
        whole = bool(ids) and ids[-1] in intents
        intent, action = (intents[ids[-1]], list(ids[:-1])) if whole else (Intent.OTHER, list(ids))
        if action in ([keep], [hint]):
            return Answer(intent, None, takes_hint=action == [hint], codes=() if whole else (AnswerCode.CUT,))
        text = tokenizer.decode(action)
        parts = [part.strip() for part in text.split("|")]
        if not action or {keep, hint} & set(action) or len(parts) > 2 or "\n" in text:
            return _unreadable(intent)
        return _written(intent, parts, whole=whole)

    return parse


def _adapted(tokenizer: QueryTokenizer) -> PromptStyle:
    return PromptStyle(
        version=PROMPT_VERSIONS["adapted"],
        gate=Frame((), (_IM_END,)),
        rewrite=Frame((), (_IM_END, ALLOW_LETTER)),
        label_ids=tuple(map(tokenizer.id_of, GATE_LETTERS)),
        stops=tuple(letter for letter in GATE_LETTERS if letter != ALLOW_LETTER),
        ends=tuple(INTENT_LETTERS.values()),
        parse=_adapted_parser(tokenizer),
        filler=None,
        takes_hints=True,
    )


def _zero_shot(tokenizer: QueryTokenizer) -> PromptStyle:
    suffix = tuple(tokenizer.encode_template("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"))

    def frame(instruction: str) -> Frame:
        static = f"<|im_start|>system\n{instruction}<|im_end|>\n<|im_start|>user\n"
        return Frame(tuple(tokenizer.encode_template(static)), suffix)

    return PromptStyle(
        version=PROMPT_VERSIONS["zero_shot"],
        gate=frame(_GATE_INSTRUCTION),
        rewrite=frame(_REWRITE_INSTRUCTION),
        label_ids=tuple(map(tokenizer.id_of, GATE_LETTERS)),
        stops=(),
        ends=(_IM_END,),
        parse=_line_parser(tokenizer),
        filler=tokenizer.encode_template("\n")[0],
        takes_hints=False,
    )
