"""Checks that no log contains a secret or the text of a query."""

from collections.abc import Iterable

import orjson


def assert_nothing_leaks(log: str, *, secrets: Iterable[str], texts: Iterable[str]) -> None:
    """Fail if `log` contains one of `secrets` or `texts`, plain or as JSON, `repr` or `ascii` write it."""
    for text in (*secrets, *texts):
        for form in _forms(text):
            at = log.find(form)
            assert at < 0, f"a secret or a query is in the log: …{log[max(0, at - 500) : at + len(form) + 200]}…"


def assert_every_line_is_json(log: str) -> None:
    """Fail if a line of `log` is not one JSON object: something wrote to standard error directly."""
    for line in log.splitlines():
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            document = None
        assert isinstance(document, dict), f"not a line of the log: {line[:1000]}"


def _forms(text: str) -> set[str]:
    quoted = orjson.dumps(text).decode()[1:-1]
    return {text, quoted, repr(text)[1:-1], ascii(text)[1:-1], repr(text.encode())[2:-1]} - {""}
