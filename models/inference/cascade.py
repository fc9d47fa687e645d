"""One verdict from two models: the screen reads every query, a second model only those that the screen is unsure of.

When the second model is asked, and what follows from its verdict:

    the screen                                the second model
                                              allow      review     block
    review                               ──►  allow      review     block (or review: `may_block`)
    block of a category in `confirmed`   ──►  review     review     block
    block, readings of a disguise differ ──►  review     review     block
    a sample, whatever the verdict       ──►  the screen's verdict stands
    anything else                             is not asked

Each verdict is that of the model's own thresholds. So one model alone never turns a block into an allow, and nothing
that the screen allows is blocked. A verdict of a list, or of `SLUICE_FAIL`, is none of the screen's: do not ask.

Pure and without settings of its own, so `sluice eval cascade` measures what the worker does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import PolicyResult, Verdict
from sluicegate.models.inference.strictest import JudgedReading
from sluicegate.models.text.readings import ReadingName
from sluicegate.schemas.reason_codes import PolicyCode


class AskedFor(StrEnum):
    """Why the second model is asked about a query."""

    REVIEW = "review"
    """The screen would send it to review."""
    BLOCK = "block"
    """The screen would block it, for a category that needs both models."""
    READINGS = "readings"
    """The screen would block it, but judges the query as typed and the query without its disguise differently."""
    SAMPLE = "sample"
    """To compare the models: the decision does not depend on the answer."""


@dataclass(frozen=True)
class CascadeRule:
    """When the second model is asked, and how two verdicts become one; see the module."""

    confirmed: frozenset[Category] = frozenset()
    """The categories of which the screen's block needs the second model's."""
    may_block: bool = True
    """Whether the second model may block what the screen would send to review."""

    def asked_for(self, screen: PolicyResult, readings: Sequence[JudgedReading] = ()) -> AskedFor | None:
        """Why the second model must be asked after the verdict `screen`; None if the screen decides alone.

        `readings` are those of the screen, where a query has several.
        """
        match screen.verdict:
            case Verdict.ALLOW:
                return None
            case Verdict.REVIEW:
                return AskedFor.REVIEW
            case Verdict.BLOCK:
                if screen.category in self.confirmed:
                    return AskedFor.BLOCK
                return AskedFor.READINGS if _disguise_differs(readings) else None

    def combine(self, asked_for: AskedFor, screen: PolicyResult, second: PolicyResult) -> PolicyResult:
        """The verdict that counts: `screen` itself, `second` itself, or a review because only one of them blocks."""
        if asked_for is AskedFor.SAMPLE or screen.verdict is Verdict.ALLOW:
            return screen
        if screen.verdict is Verdict.BLOCK:
            if second.verdict is Verdict.BLOCK:
                return screen
            return PolicyResult(Verdict.REVIEW, screen.category, screen.probability, PolicyCode.BLOCK_UNCONFIRMED)
        if second.verdict is Verdict.ALLOW or (second.verdict is Verdict.BLOCK and self.may_block):
            return second
        return screen


def _disguise_differs(readings: Sequence[JudgedReading]) -> bool:
    verdicts = {
        reading.result.policy_result.verdict
        for reading in readings
        if reading.name in (ReadingName.QUERY, ReadingName.SKELETON)
    }
    return len(verdicts) > 1
