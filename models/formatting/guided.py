"""Formatting with a compiled Qwen3: the grammar of the schema decides what it can write.

formatter = GuidedFormatter(folder, Placement("cpu", "default", threads=2, replicas=1))
results = formatter.format([FormatRequest("two tickets to Oslo", schema)])
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypedDict

import ctranslate2

from sluicegate.models.artifacts.servable import check_servable
from sluicegate.models.formatting.compact import compact_json
from sluicegate.models.formatting.formatter import FailureCode, FormatFailure, FormatRequest, Formatted
from sluicegate.models.formatting.grammars import Grammars
from sluicegate.models.formatting.grounding import ground, nulled
from sluicegate.models.formatting.guided_decoder import Draft, End, GuidedDecoder
from sluicegate.models.formatting.guided_prompt import FormatterPrompt, question
from sluicegate.models.formatting.keywords import pointer
from sluicegate.models.inference.device import Placement
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import CannotChat, EngineFailed

_CODES: Final[dict[End, FailureCode]] = {
    "budget": "budget_ended",
    "grammar": "grammar_failed",
    "engine": "engine_failed",
}


class _Counts(TypedDict):
    prompt_hash: str
    input_tokens: int
    output_tokens: int
    steps: int
    prefills: int


class GuidedFormatter:
    """A Qwen3 model that fills in schemas. Thread-safe; `format` blocks and releases the GIL."""

    def __init__(self, folder: Path, placement: Placement, *, max_prompt_tokens: int = 2048) -> None:
        """Load the compiled model in `folder`.

        Raises:
            CannotChat: the model only judges queries.
            CompiledModelError: the folder is incomplete or damaged.
        """
        manifest = check_servable(folder)
        if manifest.prompt_style == "embedded" or manifest.prompt_style == "qwen3guard":
            raise CannotChat(
                f"the model {manifest.name} judges queries and cannot write: compile a Qwen3 model, as "
                "`sluice models pull qwen3-0.6b` does, and set SLUICE_FORMAT_MODEL to its folder."
            )
        self.model_version: str = manifest.model_version
        self._tokenizer = QueryTokenizer(folder)
        self._prompt = FormatterPrompt.of(manifest.prompt_style, self._tokenizer)
        self.prompt_version: str = self._prompt.version
        self._grammars = Grammars(folder, self._tokenizer)
        self._max_prompt_tokens = max_prompt_tokens
        self._decoder = GuidedDecoder(
            placement.load(ctranslate2.Generator, folder),
            self._grammars.vocabulary,
            self._grammars.eos,
            static=self._prompt.static,
            filler=self._prompt.filler,
        )

    def format(self, batch: Sequence[FormatRequest]) -> list[Formatted | FormatFailure]:
        """A result per request of `batch`, in order."""
        work = [self._begin(request) for request in batch]
        self._decoder.run([one for one in work if isinstance(one, Draft)])
        return [
            self._result(request, one) if isinstance(one, Draft) else one
            for request, one in zip(batch, work, strict=True)
        ]

    def _begin(self, request: FormatRequest) -> Draft | FormatFailure:
        deadline = None if request.seconds is None else time.monotonic() + request.seconds
        asked = question(request.schema, request.text)
        try:
            head = self._tokenizer.encode(asked).tokens
        except EngineFailed as error:
            return FormatFailure(code="engine_failed", message=str(error), prompt_hash=self._hash(asked.split(" ")))
        read = len(self._prompt.static) + len(head) + len(self._prompt.tail)
        if read > self._max_prompt_tokens:
            return FormatFailure(
                code="too_long",
                message=f"text and schema have {read} tokens, at most {self._max_prompt_tokens} are read",
                prompt_hash=self._hash(head),
                input_tokens=read,
            )
        return Draft(
            head, self._prompt.tail, self._grammars.matcher(request.schema.grammar), request.max_tokens, deadline
        )

    def _hash(self, head: Sequence[str]) -> str:
        read = [self._prompt.version, *self._prompt.static, *head, *self._prompt.tail]
        return hashlib.sha256("\n".join(read).encode("utf-8", "surrogatepass")).hexdigest()

    def _result(self, request: FormatRequest, draft: Draft) -> Formatted | FormatFailure:
        counts: _Counts = {
            "prompt_hash": self._hash(draft.head),
            "input_tokens": len(self._prompt.static) + len(draft.head) + len(draft.tail),
            "output_tokens": len(draft.ids),
            "steps": draft.steps,
            "prefills": draft.prefills,
        }

        def failed(
            code: FailureCode, message: str, pointer: str | None = None, keyword: str | None = None
        ) -> FormatFailure:
            return FormatFailure(code=code, message=message, pointer=pointer, keyword=keyword, **counts)

        if draft.end != "finished":
            return failed(_CODES[draft.end or "engine"], draft.problem)
        value, violation = request.schema.read(self._grammars.text(draft.ids))
        if violation:
            return failed(
                "does_not_validate",
                f"the value at {violation.pointer or 'the root'} breaks `{violation.keyword}`",
                violation.pointer,
                violation.keyword,
            )
        grounding = ground(value, request.schema, request.text)
        if request.null_ungrounded and grounding.ungrounded:
            value = nulled(value, request.schema, grounding.ungrounded)
            grounding = ground(value, request.schema, request.text)
        compact = compact_json(value)
        return Formatted(
            value=compact,
            sources=tuple(grounding.sources),
            ungrounded=tuple(pointer(*path) for path in grounding.ungrounded),
            output_hash=hashlib.sha256(compact).hexdigest(),
            **counts,
        )
