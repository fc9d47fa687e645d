"""Settings of HTTP: where the worker and `sluice serve` listen, and the limits of the API."""

from pathlib import Path
from typing import Annotated, Literal

from limits import parse
from pydantic import BaseModel, Field, field_validator

Port = Annotated[int, Field(ge=1, le=65_535)]


class HttpSettings(BaseModel, title="HTTP"):
    """Where the probes and the API are served, and what a request may cost."""

    http_host: str = Field(
        "127.0.0.1",
        description="Address that the probes and the API listen on. In a container use 0.0.0.0. The API is served on "
        "another address than a loopback address only with SLUICE_HTTP_KEYS.",
    )
    http_port: Port = Field(6066, description="Port that the probes and the API listen on.")
    http_api: bool = Field(False, description="Serve the HTTP API of `sluice serve` on the worker's port too.")
    status_page: bool = Field(
        True,
        description="Serve the status page at /, on the port of the probes. With SLUICE_HTTP_KEYS it asks for one of "
        "these keys, as a password; without, only clients of the same machine see it.",
    )
    status_text: bool = Field(
        False,
        description="Show on the status page the text of the last reviews, and what the last dead letters say is wrong "
        "with their records, which may quote them.",
    )
    http_keys: Path | None = Field(
        None,
        description="File of the API keys that are accepted, see `sluice keys add`. Changes apply within seconds. "
        "Unset: no key is asked for, and only loopback addresses are served.",
    )
    http_overload: Literal["refuse", "degrade"] = Field(
        "refuse",
        description="Answer to a request when too many queries wait for the model: `refuse` answers 429 at once, "
        "`degrade` lets SLUICE_FAIL decide at once, and the answer says `degraded`.",
    )
    http_rate: str | None = Field(
        None,
        description="Maximum rate of requests of one API key, or of one address where no keys are used, for example "
        "`100/second` or `5000/minute`. Unset: no limit.",
    )
    http_max_requests: int = Field(
        512, ge=1, le=65_536, description="Maximum number of open requests. More are answered with 429."
    )
    http_max_batch: int = Field(64, ge=1, le=1024, description="Maximum number of texts in one batch request.")
    http_max_body_bytes: int = Field(
        1_048_576, ge=1024, le=67_108_864, description="Maximum size of a request's body, in bytes."
    )
    http_read_timeout_ms: int = Field(
        10_000,
        ge=100,
        le=120_000,
        description="Time that a client has to send a request, head and body, in milliseconds.",
    )
    http_mcp: bool = Field(
        False,
        description="Serve the tools for assistants at /mcp, over the Model Context Protocol, with the API's keys and "
        "limits. Needs the extra `mcp`.",
    )
    http_ledger: str | None = Field(
        None,
        description="Where the API keeps the audit record of each decision: `file:PATH` appends JSON lines to a file, "
        "`spool:PATH` adds to a spool, `kafka` publishes to SLUICE_TOPIC_LEDGER. Unset: no records are kept.",
    )

    @field_validator("http_rate")
    @classmethod
    def _is_a_rate(cls, rate: str | None) -> str | None:
        if rate is not None:
            try:
                parse(rate)
            except ValueError:
                raise ValueError("write a number and a time, for example 100/second or 5000/minute") from None
        return rate

    @field_validator("http_ledger")
    @classmethod
    def _is_a_ledger(cls, ledger: str | None) -> str | None:
        if ledger is not None and ledger != "kafka":
            kind, _, path = ledger.partition(":")
            if kind not in ("file", "spool") or not path:
                raise ValueError("write file:PATH, spool:PATH or kafka")
        return ledger
