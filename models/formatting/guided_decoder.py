"""Draft and verify: the model writes, the grammar checks each token, and the first wrong one is replaced.

CTranslate2's generator takes no mask. So a member of a batch decodes freely, and its callback shows every token to the
matcher. What happens next:

    the token is allowed                       it is kept, and decoding goes on
    the grammar now forces a run of tokens     decoding stops; the run is prefilled with the next call, not sampled
    the token is not allowed                   decoding stops; the best allowed token of that step's logits is kept
    the draft is at its longest                the next call goes on from there

Each call prefills prompt and answer so far, so an answer costs a prefill for each violation and each forced run. Only
prompts of equal length share a call, because CTranslate2 decodes the rest of longer ones token by token. A filler
in front of the answer makes them equal, up to a multiple of `FILLER_WIDTH`. How much depends on the member alone, so
its answer does not depend on the rest of the batch.
"""

import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import llguidance
import numpy as np
from numpy.typing import NDArray

FILLER_WIDTH: Final = 16

_FORCED_RUN: Final = 4
"""A prefill of Qwen3-0.6B costs as much as some decoding steps. A shorter run is drafted like anything else."""

_LONGEST_DRAFT: Final = 32
_MOST_MEMBERS: Final = 64
_MOST_TOKENS: Final = 8192
"""A call keeps the state of every token that it reads: 0.23 MB each for Qwen3-0.6B."""

_LOGITS_BYTES: Final = 256 << 20
"""CTranslate2 keeps the logits of every step of a call: 0.6 MB each for Qwen3's vocabulary."""

End = Literal["finished", "budget", "grammar", "engine"]


@dataclass
class Draft:
    """One answer that is being written. `head` and `tail` are the prompt's tokens before and after the filler.

    `deadline` is on `time.monotonic`. `ids` are the answer's tokens so far. `kept` is called with each new token, and
    gives up the answer by returning True.
    """

    head: Sequence[str]
    tail: Sequence[str]
    matcher: llguidance.LLMatcher
    max_tokens: int
    deadline: float | None = None
    kept: Callable[[int], bool] | None = None
    ids: list[int] = field(default_factory=list)
    steps: int = 0
    prefills: int = 0
    end: End | None = None
    problem: str = ""
    _step: int = 0
    _violated_at: int | None = None

    @property
    def length(self) -> int:
        """The tokens of the prompt and the answer so far, without filler."""
        return len(self.head) + len(self.tail) + len(self.ids)

    @property
    def violated(self) -> bool:
        """Whether the last draft ended with a token that is not allowed."""
        return self._violated_at is not None

    def keep(self, ids: Sequence[int]) -> None:
        """Add `ids`, which the grammar allows."""
        if not self.matcher.consume_tokens(list(ids)):
            self.fail("grammar", self.matcher.get_error())
            return
        for one in ids:
            self.ids.append(one)
            if self.kept and self.kept(one):
                self.fail("budget", "the answer was given up")
                return
        self._settle()

    def keep_forced(self) -> None:
        """Add the tokens that the grammar forces, if any."""
        if self.end is None and (forced := self.matcher.compute_ff_tokens()):
            self.keep(forced)

    def take(self, token: int, eos: int) -> bool:
        """See the next drafted token. True ends the draft: at a violation, a forced run, or the end."""
        step, self.steps = self._step, self.steps + 1
        self._step += 1
        if self.end is not None:
            return True
        if token == eos:
            if self.matcher.is_accepting():
                self.end = "finished"
            else:
                self._violated_at = step
            return True
        if self.matcher.validate_tokens([token]) != 1:
            self._violated_at = step
            return True
        self.keep([token])
        forced = [] if self.end else self.matcher.compute_ff_tokens()
        if len(forced) >= _FORCED_RUN or (forced and self._ends_after(forced)):
            self.keep(forced)
            return True
        return self.end is not None

    def _ends_after(self, forced: list[int]) -> bool:
        ahead = self.matcher.deep_copy()
        return ahead.consume_tokens(forced) and ahead.is_stopped()

    def begin_call(self) -> None:
        """A call of the engine begins for this draft."""
        self._step, self._violated_at = 0, None
        self.prefills += 1

    def correct(self, logits: Sequence[Any], eos: int) -> None:
        """Replace the token that was not allowed by the best one that is, from the logits of its step."""
        if self._violated_at is None or self.end is not None:
            return
        row: NDArray[np.float32] = np.asarray(logits[self._violated_at], np.float32).reshape(-1)
        mask = np.unpackbits(np.frombuffer(self.matcher.compute_bitmask(), np.uint8), bitorder="little")
        allowed = np.flatnonzero(mask[: len(row)])
        if not len(allowed):
            self.fail("grammar", self.matcher.get_error() or "no token of the vocabulary is allowed")
            return
        best = int(allowed[np.argmax(row[allowed])])
        if best == eos:
            self.end = "finished"
            return
        self.keep([best])
        self.keep_forced()

    def fail(self, end: End, problem: str) -> None:
        """End without an answer. `problem` has no text of the request."""
        self.end, self.problem = end, problem

    def _settle(self) -> None:
        """End where nothing can follow, or where the budget has ended."""
        if self.matcher.is_error():
            self.fail("grammar", self.matcher.get_error())
        elif self.matcher.is_stopped():
            self.end = "finished"
        elif len(self.ids) >= self.max_tokens:
            self.fail("budget", f"{self.max_tokens} tokens were written")
        elif self.deadline is not None and time.monotonic() > self.deadline:
            self.fail("budget", "the time ended")


class GuidedDecoder:
    """Writes answers that follow their grammars. Thread-safe; `run` blocks and releases the GIL."""

    def __init__(
        self,
        generator: Any,
        vocabulary: Sequence[str],
        eos: int,
        *,
        static: Sequence[str] = (),
        filler: str | None = None,
        sampling: Mapping[str, float] | None = None,
    ) -> None:
        """`static` are the tokens in front of every prompt, whose state is cached. Without `filler` none is added.

        `sampling` are options of CTranslate2 that draft otherwise than by the most probable token.
        """
        # A thread of the engine still holds the last callback for a moment. The interpreter aborts if it ends first,
        # and the engine if the callback holds the last reference to it: so the one goes first, and the other has none.
        self._generators = [generator]
        weakref.finalize(self, self._generators.clear)
        self._vocabulary = vocabulary
        self._eos = eos
        self._static = list(static)
        self._filler = filler
        self._sampling = sampling or {"sampling_topk": 1}

    def run(self, drafts: Sequence[Draft]) -> None:
        """Bring every draft to its end."""
        for draft in drafts:
            draft.keep_forced()
        while True:
            groups: dict[int, list[Draft]] = defaultdict(list)
            for draft in drafts:
                if draft.end is None:
                    groups[self._filled_length(draft)].append(draft)
            if not groups:
                return
            for length, group in sorted(groups.items()):
                members = max(1, min(_MOST_MEMBERS, _MOST_TOKENS // length))
                for start in range(0, len(group), members):
                    self._call(group[start : start + members])

    def _filled_length(self, draft: Draft) -> int:
        return draft.length + (-draft.length % FILLER_WIDTH if self._filler else 0)

    def _prompt(self, draft: Draft) -> list[str]:
        filling = [self._filler] * (self._filled_length(draft) - draft.length) if self._filler else []
        return [*draft.head, *filling, *draft.tail, *map(self._vocabulary.__getitem__, draft.ids)]

    def _call(self, group: list[Draft]) -> None:
        longest = max(1, min(_LONGEST_DRAFT, _LOGITS_BYTES // (4 * len(self._vocabulary) * len(group))))
        for draft in group:
            draft.begin_call()
        try:
            results = self._generators[0].generate_batch(
                [self._prompt(draft) for draft in group],
                static_prompt=self._static or None,
                cache_static_prompt=True,
                include_prompt_in_result=False,
                max_length=longest,
                end_token=[self._vocabulary[self._eos]],
                return_end_token=True,
                **self._sampling,
                return_logits_vocab=True,
                callback=_watch(group, self._eos),
            )
        except (RuntimeError, ValueError, MemoryError) as error:
            for draft in group:
                draft.fail("engine", f"the model failed: {error}")
            return
        for draft, result in zip(group, results, strict=True):
            draft.correct(result.logits[0], self._eos)


def _watch(group: list[Draft], eos: int) -> Callable[[Any], bool]:
    return lambda step: group[step.batch_id].take(step.token_id, eos)
