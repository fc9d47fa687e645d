"""Probabilities as bars with their thresholds."""

import pytest
from rich.text import Text

from sluicegate.agents.cli.probability_bars import bars
from sluicegate.schemas.events import Threshold

PROBABILITIES = {"allow": 0.1, "hate": 0.3, "illicit": 0.6, "prompt_injection": 0.0, "harassment": 1.0}
THRESHOLDS = {
    "hate": Threshold(allow=0.25, block=0.75),
    "illicit": Threshold(allow=0.25, block=0.5),
    "prompt_injection": Threshold(allow=0.0, block=1.0),
    "harassment": Threshold(allow=0.4, block=1.1),
}


def lines_of(width: int, **options: bool) -> dict[str, Text]:
    head, *lines = bars(PROBABILITIES, THRESHOLDS, width, **options).split()
    assert "reviewed from" in head.plain
    return {line.plain.split()[0]: line for line in lines}


@pytest.mark.parametrize("width", [20, 40, 59, 60, 80, 100, 200])
def test_every_line_fits_and_the_numbers_stand_below_each_other(width: int) -> None:
    whole = bars(PROBABILITIES, THRESHOLDS, width).plain.split("\n")
    assert all(len(line) <= max(width, 32) for line in whole)
    assert (
        len(
            {
                line.index(f"  {probability:.3f}")
                for line, probability in zip(whole[1:], (0.1, 1, 0.6, 0.3, 0), strict=True)
            }
        )
        == 1
    )


def test_allow_comes_first_then_the_most_probable() -> None:
    assert list(lines_of(80)) == ["allow", "harassment", "illicit", "hate", "prompt_injection"]


def test_a_bar_is_as_long_as_its_probability_and_has_a_mark_at_each_threshold() -> None:
    line = lines_of(65)["hate"].plain  # the label takes 17 columns, the probability 7, the thresholds 17
    bar = line[17 : 17 + 24]
    assert bar.count("█") == 6
    assert (bar.index("│"), bar.index("┃")) == (6, 18)
    assert "0.25    0.75" in line


def test_the_colour_says_which_threshold_was_reached() -> None:
    styles = {
        label: {str(span.style) for span in line.spans} & {"green", "yellow", "red"}
        for label, line in lines_of(80).items()
    }
    assert styles == {
        "allow": {"green"},
        "harassment": {"yellow"},
        "illicit": {"red"},
        "hate": {"yellow"},
        "prompt_injection": {"yellow"},
    }


def test_a_threshold_that_never_blocks_has_no_mark() -> None:
    line = lines_of(80)["harassment"].plain
    assert "┃" not in line
    assert "never" in line


def test_an_output_without_blocks_gets_ascii() -> None:
    assert all(line.plain.isascii() for line in lines_of(80, ascii_only=True).values())
