"""The check of the logs finds what it looks for."""

import pytest

from tests.support.log_hygiene import assert_every_line_is_json, assert_nothing_leaks

TEXT = 'naïve "shoes"\n\U0001f45f'


@pytest.mark.parametrize(
    "written",
    [
        TEXT,
        r"naïve \"shoes\"\n" + "\U0001f45f",
        repr(TEXT),
        repr(TEXT.encode()),
        ascii(TEXT),
    ],
)
def test_a_text_is_found_however_it_is_written(written: str) -> None:
    with pytest.raises(AssertionError, match="is in the log"):
        assert_nothing_leaks(f"fine\nbefore {written} after\n", secrets=["hunter2"], texts=[TEXT])


def test_a_log_without_the_texts_is_clean() -> None:
    assert_nothing_leaks('{"message": "event-1 has no outcome"}\n', secrets=["hunter2"], texts=[TEXT])


@pytest.mark.parametrize("line", ["Traceback (most recent call last):", "3", ""])
def test_a_line_that_is_not_a_json_object_is_found(line: str) -> None:
    assert_every_line_is_json('{"message": "fine"}\n')
    with pytest.raises(AssertionError, match="not a line of the log"):
        assert_every_line_is_json(f'{{"message": "fine"}}\n{line}\n')
