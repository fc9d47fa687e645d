"""Lists and thresholds together: which verdict counts, and what an allow list lifts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.labels import LABELS, Category
from sluicegate.models.inference.policy import Policy, PolicyResult, Verdict
from sluicegate.models.policy.compiled import CompiledPolicy, EventPolicy
from sluicegate.models.policy.policy_file import Bounds, PolicyFile
from sluicegate.models.policy.term_lists import Action, TermList
from sluicegate.schemas.events import Threshold

MODEL = Policy.layered()
LISTS = (
    TermList("banned", Action.BLOCK, Category.HATE, None, ("slur",)),
    TermList("doubtful", Action.REVIEW, Category.ILLICIT, None, ("knife",)),
    TermList("pride", Action.ALLOW, None, None, ("gay pride", "pride parade", "slur")),
    TermList("toys", Action.BLOCK, Category.SPAM, "kids", ("beer",)),
)
FILE = PolicyFile(
    "shop",
    Bounds({Category.HATE: Threshold(allow=0.1, block=0.2)}),
    {"kids": Bounds({Category.VIOLENCE: Threshold(allow=0.05, block=0.1)}, 0.15)},
    LISTS,
)
POLICY = CompiledPolicy(FILE)
EVENT = POLICY.for_event(None, MODEL)


def result(text: str = "text", **probabilities: float) -> ModelResult:
    found = dict.fromkeys(LABELS, 0.0) | {"allow": 0.9} | probabilities
    return ModelResult(MODEL.judge(found), lexical=text, semantic=text, probabilities=found)


def decided(text: str, event: EventPolicy = EVENT, **probabilities: float) -> PolicyResult:
    """The verdict where the model gives every text the same probabilities."""
    answer = result(text, **probabilities)
    rest = event.rest_of(text)
    judged = event.judge(text, answer, answer if rest == text else result(rest, **probabilities) if rest else None)
    return event.apply_lists(judged, [text]).policy_result


def test_without_a_file_the_model_decides_and_its_thresholds_are_the_version() -> None:
    event = CompiledPolicy().for_event("kids", MODEL)
    answer = result(hate=0.5)
    assert event.judge("text", answer, answer) is answer
    assert event.apply_lists(answer, ["slur"]) is answer
    stricter = Policy.layered({Category.HATE: Threshold(allow=0.1, block=0.2)})
    assert event.version == MODEL.version
    assert event.version.startswith("model-thresholds@")
    assert CompiledPolicy().version(stricter) != event.version
    assert POLICY.version(stricter) == POLICY.version(MODEL) == FILE.version


def test_the_thresholds_of_a_surface_override_those_for_all_which_override_the_models() -> None:
    kids = POLICY.for_event("kids", MODEL).thresholds
    everyone = POLICY.for_event("unknown", MODEL).thresholds
    assert kids.thresholds[Category.HATE] == everyone.thresholds[Category.HATE] == Threshold(allow=0.1, block=0.2)
    assert kids.thresholds[Category.VIOLENCE].allow == 0.05
    assert everyone.thresholds[Category.VIOLENCE] == MODEL.thresholds[Category.VIOLENCE]
    assert (kids.sum_bound, everyone.sum_bound) == (0.15, MODEL.sum_bound)
    assert decided("a fight", POLICY.for_event("kids", MODEL), violence=0.12).verdict is Verdict.BLOCK
    assert decided("a fight", violence=0.12).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("text", "hate", "verdict", "reason"),
    [
        ("hello", 0.0, "allow", "below_every_threshold"),
        ("a slur", 0.0, "block", "list:banned"),
        ("a knife", 0.0, "review", "list:doubtful"),
        ("a knife", 0.5, "block", "block_threshold:hate"),
        ("a knife", 0.15, "review", "list:doubtful"),
        ("slur knife", 0.0, "block", "list:banned"),
        ("gay pride slur", 0.0, "block", "list:banned"),
        ("gay pride", 0.9, "allow", "list:pride"),
        ("Gay Pride!!", 0.9, "allow", "list:pride"),
        ("gay pride parade", 0.9, "allow", "list:pride"),
        ("gay pride is here", 0.9, "block", "block_threshold:hate"),
        ("gay pride is here", 0.0, "allow", "below_every_threshold"),
    ],
)
def test_block_beats_review_beats_allow(text: str, hate: float, verdict: str, reason: str) -> None:
    policy_result = decided(text, hate=hate)
    assert (policy_result.verdict, policy_result.reason) == (verdict, reason)


def test_a_list_decides_with_its_own_category_and_certainty() -> None:
    policy_result = decided("a knife")
    assert (policy_result.category, policy_result.probability) == (Category.ILLICIT, 1.0)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("gay pride how to make a bomb", "how to make a bomb"),
        ("how gay pride to make gay pride a bomb", "how to make a bomb"),
        ("how to make a bomb", "how to make a bomb"),
        ("Gäy-Pride, Berlin", ", Berlin"),
        ("gay pride parade today", "today"),
        ("gaypride", "gaypride"),
        ("gay pride ...", ""),
        ("gay pride 💣", "💣"),
        ("gay gay pride pride", "gay pride"),
    ],
)
def test_an_allow_list_takes_out_only_what_it_covers(text: str, rest: str) -> None:
    assert EVENT.rest_of(text) == rest


def test_a_term_that_removing_another_one_would_hide_is_still_found() -> None:
    assert decided("slur", hate=0.0).reason == "list:banned"


def test_the_rest_cannot_become_a_control_token() -> None:
    assert "<|" not in EVENT.rest_of("< gay pride |im_start|> < gay pride |")


def test_every_list_that_matched_is_named_once() -> None:
    found = EVENT.apply_lists(result(), ["knife knife", "slur and gay pride"])
    assert found.policy_result.reason == "list:banned"
    assert found.codes == ("list:doubtful", "list:pride")


def test_a_term_in_what_would_be_published_counts() -> None:
    assert EVENT.apply_lists(result("a slurr"), ["a slurr", "a slur"]).policy_result.verdict is Verdict.BLOCK


def test_a_text_without_a_listed_term_may_be_offered() -> None:
    assert [EVENT.allows(text) for text in ("shoes", "gay pride", "a slur", "knife")] == [True, True, False, False]


def test_a_list_of_a_surface_decides_there_only() -> None:
    assert decided("beer", POLICY.for_event("kids", MODEL)).reason == "list:toys"
    assert decided("beer").verdict is Verdict.ALLOW


@given(st.sampled_from(["gay pride", "pride parade", "gay pride parade"]), st.integers(0, 4), st.floats(0, 1))
def test_adding_an_allowed_phrase_never_makes_the_verdict_milder(phrase: str, place: int, hate: float) -> None:
    words = ["how", "to", "make", "bombs"]
    padded = " ".join([*words[:place], phrase, *words[place:]])
    assert EVENT.rest_of(padded) == " ".join(words)
    assert decided(padded, hate=hate) == decided(" ".join(words), hate=hate)


def test_a_policy_of_a_hundred_thousand_terms_finds_the_last(tmp_path: Path) -> None:
    terms = tuple(f"term{number} number" for number in range(100_000))
    lists = (TermList("many", Action.BLOCK, Category.SPAM, None, terms),)
    event = CompiledPolicy(PolicyFile("many", Bounds(), {}, lists)).for_event(None, MODEL)
    assert decided("so TERM99999  number here", event).reason == "list:many"
    assert decided("so term100000 number here", event).verdict is Verdict.ALLOW
