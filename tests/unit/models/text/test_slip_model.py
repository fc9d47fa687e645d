"""What it costs to type one word for another."""

import pytest

from sluicegate.models.text.slip_model import SlipModel, slips


@pytest.mark.parametrize(
    ("meant", "typed", "expected"),
    [
        ("shoes", "shoes", []),
        ("shoes", "shows", ["sew"]),
        ("shoes", "shos", ["doe"]),
        ("shoes", "shooes", ["ioo"]),
        ("shoes", "sheos", ["toe"]),
        ("shoes", "hoes", ["d^s"]),
        ("django", "djnago", ["tan"]),
        ("receive", "recieve", ["tei"]),
        ("cheap", "chaep", ["tea"]),
    ],
)
def test_slips_name_the_letters(meant: str, typed: str, expected: list[str]) -> None:
    assert slips(meant, typed) == expected


def test_a_frequent_slip_costs_less_than_a_rare_one_and_that_less_than_one_never_seen() -> None:
    pairs = [("recieve", "receive")] * 8 + [("beleive", "believe")] * 2
    model = SlipModel.learn(pairs)
    frequent, rare = model.cost("decieve", "deceive"), model.cost("acheive", "achieve")
    assert 0 < frequent < rare < model.cost("qeceive", "receive")
    assert model.cost("receive", "receive") == 0
