"""Settings of logs, traces and metrics."""

from typing import Literal

from pydantic import AliasChoices, BaseModel, Field, ValidationInfo, field_validator

from sluicegate.agents.settings.security import refuse_secrets


class TelemetrySettings(BaseModel, title="Telemetry"):
    """What is logged and exported."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level of the log lines that are written."
    )
    otlp_endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices("SLUICE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="OTLP/HTTP endpoint for traces and metrics, for example http://localhost:4318. "
        "OTEL_EXPORTER_OTLP_ENDPOINT works too. Unset or empty: nothing is exported.",
    )
    trace_sample_ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the events that are traced when the producer sent no trace. Always traced are those that "
        "are blocked, go to review, become dead letters, fail, are decided without the model, or are slow.",
    )
    trace_slow_ms: float = Field(
        1000.0, ge=0, description="An event that takes so many milliseconds is slow. 0: none is."
    )

    traces_url: str | None = Field(
        None,
        description="Query API of Jaeger or Tempo, from which `sluice trace` reads spans: for example "
        "http://localhost:16686, or http://localhost:3200 for Tempo.",
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _level_in_upper_case(cls, name: object) -> object:
        return name.upper() if isinstance(name, str) else name

    @field_validator("otlp_endpoint", "traces_url")
    @classmethod
    def _is_http_without_secrets(cls, url: str | None, about: ValidationInfo) -> str | None:
        if not url:
            return None
        if not url.startswith(("http://", "https://")):
            also = " (OTEL_EXPORTER_OTLP_ENDPOINT too)" if about.field_name == "otlp_endpoint" else ""
            raise ValueError(f"must start with http:// or https://{also}")
        return refuse_secrets(url.rstrip("/"))
