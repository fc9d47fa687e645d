"""A decision in one sentence, for people and for assistants: `sluice ask` and the MCP tools say the same."""

from collections.abc import Mapping
from typing import Final

from sluicegate.decision import GateDecision
from sluicegate.schemas.events import DecisionTrace, Threshold
from sluicegate.schemas.reason_codes import BLOCK_THRESHOLD, LIST, REVIEW_THRESHOLD, PolicyCode, meaning_of

VERDICTS: Final[Mapping[str, str]] = {"allow": "Allowed", "block": "Blocked", "review": "Sent to review"}
"""The words for each verdict."""

NEVER_BLOCKS: Final = 1.0
"""A `block` threshold above this never blocks: no probability is larger."""


def explain_decision(decision: GateDecision | DecisionTrace) -> str:
    """Why a decision is as it is, with the numbers of the model that decided."""
    second = decision.second
    if second is None or not second.decided:
        return explain_verdict(decision.verdict, decision.reason, decision.probabilities, decision.thresholds)
    said = explain_verdict(decision.verdict, decision.reason, second.probabilities, second.thresholds)
    return f"{said} The second model decided."


def why_second_was_not_asked(decision: GateDecision) -> str:
    """Why the second model had no part in `decision`, where there is one."""
    if decision.degraded:
        return "the first model did not answer, and SLUICE_FAIL decided"
    if decision.reason.startswith(f"{LIST.prefix}:"):
        return "a list of the policy decided"
    if decision.verdict == "allow":
        return "the first model decided alone: allow"
    category = decision.category or "the category"
    return f"the first model decided alone: block, and SLUICE_SECOND_CONFIRMS does not name {category}"


def as_limit(threshold: float) -> str:
    """A threshold with two digits after the point, or up to four where two would hide something."""
    return f"{threshold:.2f}" if abs(round(threshold, 2) - threshold) < 5e-5 else f"{threshold:.4f}".rstrip("0")


def explain_verdict(
    verdict: str, reason: str, probabilities: Mapping[str, float], thresholds: Mapping[str, Threshold]
) -> str:
    """Why `verdict` was reached, with the numbers behind the rule `reason`.

    A reason that this version does not know, or that has no numbers, is explained by its meaning or its code.
    """
    said = VERDICTS.get(verdict, verdict)
    rule, _, name = reason.partition(":")
    probability, threshold = probabilities.get(name), thresholds.get(name)
    if rule == BLOCK_THRESHOLD.prefix and probability is not None and threshold:
        return (
            f"{said}: {name} has the probability {probability:.3f}; it is blocked from {as_limit(threshold.block)} on."
        )
    if rule == REVIEW_THRESHOLD.prefix and probability is not None and threshold:
        block = "never blocked" if threshold.block > NEVER_BLOCKS else f"blocked from {as_limit(threshold.block)} on"
        return (
            f"{said}: {name} has the probability {probability:.3f}; "
            f"it is reviewed from {as_limit(threshold.allow)} on and {block}."
        )
    if rule == LIST.prefix and name:
        return f"{said}: the list {name} of the policy decides."
    if reason == PolicyCode.BELOW_EVERY_THRESHOLD and "allow" in probabilities:
        return f"{said}: no category reached its threshold, and allow has the probability {probabilities['allow']:.3f}."
    meaning = meaning_of(reason)
    if meaning is None:
        return f"{said} ({reason})."
    return meaning if meaning.startswith(said) else f"{said}. {meaning}"
