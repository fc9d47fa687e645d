"""Which of a producer's headers an output repeats."""

import pytest

from sluicegate.agents.outcomes.passed_headers import MAX_BYTES, MAX_HEADERS, PassedHeaders
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.errors import ConfigurationError
from sluicegate.schemas.headers import Header

SENT: list[Header] = [
    ("Baggage", b"tenant=7"),
    ("X-Tenant", b"7"),
    ("x-request-id", None),
    ("x-request-id", b"again"),
    ("b3", b"0"),
    ("traceparent", b"00-1"),
    ("TraceState", b"a=1"),
    ("replay_of", b"queries.raw-0-1"),
    ("x-\udcff", b"not UTF-8"),
]


@pytest.mark.parametrize(
    ("patterns", "passed"),
    [
        ([], []),
        (["baggage"], ["Baggage"]),
        (["x-*"], ["X-Tenant", "x-request-id", "x-request-id"]),
        (["*"], ["Baggage", "X-Tenant", "x-request-id", "x-request-id", "b3"]),
        (["traceparent", "replay_of", "replay*"], []),
    ],
)
def test_headers_are_chosen_by_name_without_regard_to_case_and_never_our_own(
    patterns: list[str], passed: list[str]
) -> None:
    chosen = PassedHeaders(patterns).of(SENT)
    assert [name for name, _ in chosen] == passed
    assert all(header in SENT for header in chosen)


def test_what_is_repeated_is_bounded_in_number_and_size() -> None:
    every = PassedHeaders(["*"])
    assert len(every.of([("x", b"")] * 1000)) == MAX_HEADERS
    large: list[Header] = [("x", b"a" * (MAX_BYTES // 2 - 1)), ("y", b"b" * (MAX_BYTES // 2 - 1)), ("z", b"")]
    assert [name for name, _ in every.of(large)] == ["x", "y"]
    assert every.of([("x", b"a" * MAX_BYTES)]) == []


def test_the_setting_is_a_list_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().passed_header_patterns == ()
    monkeypatch.setenv("SLUICE_PASS_HEADERS", "Baggage, X-*")
    assert load_settings().passed_header_patterns == ("baggage", "x-*")
    for wrong in ("x-*-y", "a,,b", "a b"):
        monkeypatch.setenv("SLUICE_PASS_HEADERS", wrong)
        with pytest.raises(ConfigurationError, match="SLUICE_PASS_HEADERS"):
            load_settings()
