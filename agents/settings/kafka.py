"""Settings of the Kafka clients."""

import re
from typing import Final

from pydantic import BaseModel, Field, field_validator

from sluicegate.schemas.payloads import InputFormat

_HEADER_NAME: Final = re.compile(r"[^\s*,]+\*?|\*")


class KafkaSettings(BaseModel, title="Kafka"):
    """How the Kafka clients connect, read and publish."""

    bootstrap_servers: str = Field(
        "localhost:9092", min_length=1, description="Kafka brokers to start from, as host:port[,host:port]."
    )
    group_id: str = Field("sluicegate-gate", min_length=1, description="Consumer group of the gate workers.")
    window: int = Field(
        256,
        ge=1,
        le=65_536,
        description="Maximum number of events that a gate worker has read and not yet acknowledged.",
    )
    publish_timeout_ms: int = Field(
        10_000, ge=1_000, le=45_000, description="Time limit for the broker to acknowledge an output, in milliseconds."
    )
    session_timeout_ms: int = Field(
        20_000,
        ge=6_000,
        le=60_000,
        description="Time without a heartbeat, in milliseconds, after which Kafka gives a worker's partitions to "
        "other workers.",
    )
    dedup_window: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Number of decided events that a worker remembers, to publish nothing again for a producer's "
        "retry or a redelivery. 0 turns it off. The memory is lost when the worker stops: consumers that must see an "
        "event once use `event_id`.",
    )

    input_format: InputFormat = Field(
        "auto",
        description="What a raw query or action may come in. `auto`: JSON, plain or inside of CloudEvents, gzip, "
        "UTF-16, or Confluent's wire format. `json`: plain JSON in UTF-8 only; a dead letter names what came instead.",
    )
    pass_headers: str = Field(
        "",
        description="Headers of a producer's record that every output repeats, as names separated by commas: for "
        "example `baggage,x-*`. Case does not matter, and `*` at the end stands for any ending. At most 64 headers and "
        "16 KiB are repeated. `traceparent` and `tracestate` are always continued, never copied.",
    )

    @property
    def passed_header_patterns(self) -> tuple[str, ...]:
        """The names in `pass_headers`, in lower case."""
        return tuple(name.strip().lower() for name in self.pass_headers.split(",")) if self.pass_headers else ()

    @field_validator("pass_headers")
    @classmethod
    def _names(cls, names: str) -> str:
        for name in names.split(",") if names.strip() else ():
            if not _HEADER_NAME.fullmatch(name.strip()):
                raise ValueError(f"{name.strip()!r} must be a header's name, with `*` at most at its end")
        return names.strip()

    @field_validator("bootstrap_servers")
    @classmethod
    def _host_and_port(cls, servers: str) -> str:
        if "@" in servers:
            raise ValueError(
                "must not contain a user or a password: use SLUICE_SASL_USERNAME and SLUICE_SASL_PASSWORD_FILE"
            )
        for server in servers.split(","):
            host, _, port = server.strip().rpartition(":")
            if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError(f"{server.strip()!r} must be host:port")
        return servers
