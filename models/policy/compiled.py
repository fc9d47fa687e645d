"""Deciding by a policy. The strictest verdict counts: block beats review beats allow, from lists and thresholds alike.

An allow list says that its terms do not count. They are taken out of the text, and the model's verdict about the rest
counts: `gay pride how to make a bomb` is judged as `how to make a bomb`. If nothing is left, there is nothing to judge.
Block and review lists are looked for in the whole text, so an allow list never lifts them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.policy import SEVERITY, Policy, PolicyResult, Verdict
from sluicegate.models.policy.policy_file import Bounds, PolicyFile
from sluicegate.models.policy.term_lists import Action, Match, TermLists
from sluicegate.models.text.normalise import Normalised, normalise
from sluicegate.schemas.reason_codes import LIST, NormaliseCode

_LONGEST_TYPED: Final = 4
"""Characters that are searched of what was typed, for each that is left of it: a repair shortens a text."""

_MORE_THAN_PUNCTUATION: Final = regex.compile(r"[^\p{P}\s]")


class CompiledPolicy:
    """A policy file, ready to decide; without one, the thresholds of the model alone. Immutable and thread-safe."""

    def __init__(self, file: PolicyFile | None = None) -> None:
        self.file = file
        self.lists = TermLists(file.lists if file else ())
        self._version = file.version if file else None

    def version(self, model_policy: Policy) -> str:
        """`policy_version` in events. Without a file it is that of `model_policy`, the model's thresholds."""
        return self._version or model_policy.version

    def for_event(self, surface: str | None, model_policy: Policy, *, second: bool = False) -> "EventPolicy":
        """What decides an event of `surface`: the model's thresholds, then the file's for all, then the surface's.

        For the `second` model those of the file's table of that name come before the surface's.
        """
        thresholds = model_policy
        for bounds in self._layers(surface, second=second):
            if bounds.thresholds or bounds.sum_bound is not None:
                sum_bound = thresholds.sum_bound if bounds.sum_bound is None else bounds.sum_bound
                thresholds = Policy({**thresholds.thresholds, **bounds.thresholds}, sum_bound)
        return EventPolicy(self.lists, surface, thresholds, model_policy, self.version(model_policy))

    def _layers(self, surface: str | None, *, second: bool) -> Iterator[Bounds]:
        if self.file:
            yield self.file.bounds
            if second and self.file.second:
                yield self.file.second
            if of_surface := self.file.surfaces.get(surface or ""):
                yield of_surface


@dataclass(frozen=True)
class EventPolicy:
    """The policy as it applies to one event, from the event's start to its end."""

    lists: TermLists
    surface: str | None
    thresholds: Policy
    model_policy: Policy
    version: str

    def rest_of(self, text: str) -> str:
        """What the model must judge of the normalised `text`: what no allow list covers. `text` if none matches.

        Empty if only punctuation is left.
        """
        allowed = [match for match in self.find(text) if match.term_list.action is Action.ALLOW]
        if not allowed:
            return text
        kept, end = [], 0
        for match in allowed:  # in the order of the text
            kept.append(text[end : match.start])
            end = max(end, match.end)
        rest = normalise(" ".join([*kept, text[end:]]), max_chars=len(text)).text
        return rest if _MORE_THAN_PUNCTUATION.search(rest) else ""

    def judge(self, text: str, result: ModelResult, rest: ModelResult | None) -> ModelResult:
        """`result`, the model's answer about `text`, with the verdict of these thresholds about `rest`.

        `rest` is the model's answer about `rest_of` the text: `result` itself where no allow list matched, None if
        nothing was left.
        """
        if rest is result and self.thresholds is self.model_policy:
            return result  # the model has judged by them
        if rest is None:
            allowing = min(match.term_list.name for match in self.find(text) if match.term_list.action is Action.ALLOW)
            return replace(result, policy_result=PolicyResult(Verdict.ALLOW, None, 1.0, LIST.code(allowing)))
        policy_result = self.thresholds.judge(rest.probabilities)
        return replace(result, policy_result=policy_result, probabilities=rest.probabilities)

    def apply_lists(self, result: ModelResult, texts: Iterable[str]) -> ModelResult:
        """`result` after the lists were looked for in `texts`: all that was read of a query, and all that leaves.

        The strictest list that matches decides if it is at least as strict as `result`: of several, the first by name.
        Every other list that matches adds a reason code.
        """
        found = {match.term_list.name: match.term_list for text in dict.fromkeys(texts) for match in self.find(text)}
        if not found:
            return result
        decided = result.policy_result
        strictest = min(found.values(), key=lambda each: (-SEVERITY[each.action.verdict], each.name))
        verdict = strictest.action.verdict
        if verdict is not Verdict.ALLOW and SEVERITY[verdict] >= SEVERITY[decided.verdict]:
            decided = PolicyResult(verdict, strictest.category, 1.0, LIST.code(strictest.name))
        codes = [code for code in map(LIST.code, sorted(found)) if code != decided.reason]
        return replace(result, policy_result=decided, codes=(*codes, *result.codes))

    def allows(self, text: str) -> bool:
        """Whether no list blocks or reviews `text`."""
        return all(match.term_list.action is Action.ALLOW for match in self.find(text))

    def find(self, text: str) -> list[Match]:
        """The terms in `text` of the lists that apply to this event, in the order of the text."""
        return self.lists.find(text, self.surface)


def texts_to_search(query: str, normalised: Normalised) -> list[str]:
    """The texts of a whole query in which lists are looked for: the normalised one, and what was typed if that differs.

    It differs for a query with accents that looks like text in a wrong encoding, and was "repaired" into another.
    """
    if NormaliseCode.ENCODING_REPAIRED not in normalised.codes:
        return [normalised.text]
    return [normalised.text, query[: _LONGEST_TYPED * len(normalised.text)]]
