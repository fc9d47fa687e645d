from datetime import UTC, datetime

import pytest

from sluicegate.agents.upstream.retry_after import LONGEST_S, retry_after_s

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("9" * 400, LONGEST_S),
        ("Thu, 26 Nov 2026 12:01:30 GMT", 90),
        ("Thu, 26 Nov 2026 11:00:00 GMT", 0),
        ("Thursday, 26-Nov-26 12:00:05 GMT", 5),
        ("Fri, 26 Nov 2027 12:00:00 GMT", LONGEST_S),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("Thu, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_seconds_and_dates_are_read_and_bounded_and_the_rest_is_ignored(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after_s(value, NOW) == seconds
