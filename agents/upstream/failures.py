"""Every way in which a request to a chat API fails, and what follows from it: one table.

    failure        tried again   counts against the API     the circuit opens at once
    unreachable    yes           yes
    timed_out      yes           yes
    broken_off     yes           yes
    busy           yes           yes
    server_error   yes           yes
    quota                        yes                        yes
    unauthorised                 yes                        yes
    refused
    unreadable                   yes
    unknown                      yes
    circuit_open, budget, no_turn: nothing was sent

What is not known is not tried again.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import httpx
import msgspec

from sluicegate.schemas.errors import UpstreamFailed


class Failure(StrEnum):
    """Why there is no answer. The values are those of metrics."""

    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    BROKEN_OFF = "broken_off"
    BUSY = "busy"
    SERVER_ERROR = "server_error"
    QUOTA = "quota"
    UNAUTHORISED = "unauthorised"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    CIRCUIT_OPEN = "circuit_open"
    BUDGET = "budget"
    NO_TURN = "no_turn"


class Treatment(NamedTuple):
    """What follows from a failure."""

    meaning: str
    retried: bool = False
    unhealthy: bool = False
    """It counts against the API."""
    opens: bool = False
    """Asking again is of no use for a while: the circuit opens at once."""
    billed: bool = False
    """The API may have done the work, and counted it."""


TREATMENTS: Final[Mapping[Failure, Treatment]] = {
    Failure.UNREACHABLE: Treatment("it cannot be reached", retried=True, unhealthy=True),
    Failure.TIMED_OUT: Treatment("it did not answer in time", retried=True, unhealthy=True, billed=True),
    Failure.BROKEN_OFF: Treatment("it ended the connection in its answer", retried=True, unhealthy=True, billed=True),
    Failure.BUSY: Treatment("it has too many requests", retried=True, unhealthy=True),
    Failure.SERVER_ERROR: Treatment("it failed", retried=True, unhealthy=True),
    Failure.QUOTA: Treatment("the account's quota is used up", unhealthy=True, opens=True),
    Failure.UNAUTHORISED: Treatment("it refuses the API key", unhealthy=True, opens=True),
    Failure.REFUSED: Treatment("it refuses the request"),
    Failure.UNREADABLE: Treatment("its answer is not that of a chat API", unhealthy=True, billed=True),
    Failure.UNKNOWN: Treatment("it answered in an unknown way", unhealthy=True, billed=True),
    Failure.CIRCUIT_OPEN: Treatment("it failed too often, and is not asked for a while"),
    Failure.BUDGET: Treatment("the budget of the day is spent, and it is not asked before midnight UTC"),
    Failure.NO_TURN: Treatment("the limits on concurrency and rate left no turn in time"),
}

_STATUSES: Final[Mapping[int, Failure]] = {
    **dict.fromkeys((408, 425, 429, 503, 529), Failure.BUSY),
    **dict.fromkeys((500, 502, 504), Failure.SERVER_ERROR),
    402: Failure.QUOTA,
    **dict.fromkeys((401, 403), Failure.UNAUTHORISED),
    **dict.fromkeys((400, 404, 405, 413, 415, 422), Failure.REFUSED),
}
_QUOTA_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class CallFailed(UpstreamFailed):
    """One request has no answer. `retry_after_s` is when the API wants the next one, where it says so."""

    def __init__(self, failure: Failure, upstream: str, detail: str = "", retry_after_s: float | None = None) -> None:
        treatment = TREATMENTS[failure]
        super().__init__(failure.value, f"{upstream}: {treatment.meaning}{f' ({detail})' if detail else ''}")
        self.failure = failure
        self.treatment = treatment
        self.retry_after_s = retry_after_s


class _Error(msgspec.Struct):
    code: str | int | None = None
    type: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _Error


def failure_of_status(status: int, body: bytes) -> Failure:
    """The failure behind an answer's status, which is not 200. `body` tells exhausted quota from too many requests."""
    failure = _STATUSES.get(status, Failure.UNKNOWN)
    if status == 429:
        try:
            error = msgspec.json.decode(body, type=_ErrorBody).error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return failure
        if {error.code, error.type} & _QUOTA_CODES:
            return Failure.QUOTA
    return failure


def failure_of_exception(error: httpx.HTTPError) -> Failure:
    """The failure behind an exception of httpx."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            return Failure.UNREACHABLE
        case httpx.TimeoutException():
            return Failure.TIMED_OUT
        case httpx.NetworkError() | httpx.ProtocolError():
            return Failure.BROKEN_OFF
        case _:
            return Failure.UNKNOWN
