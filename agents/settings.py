"""Every setting of Sluicegate, typed and checked in one place. ``sluice config show`` prints them with their meaning.

Each field is the environment variable ``SLUICE_`` plus its name in capitals; nothing else reads the environment. The
one other name is OpenTelemetry's own ``OTEL_EXPORTER_OTLP_ENDPOINT``.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import msgspec
import orjson
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, JsonConfigSettingsSource, NoDecode, SettingsConfigDict
from pydantic_settings import PydanticBaseSettingsSource as Source

from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.errors import ConfigurationError
from sluicegate.schemas.events import Threshold

ENV_PREFIX: Final = "SLUICE_"
LONGEST_EVENT_MS: Final = 55_000
"""Below the group's rebalance time-out of 60 s, during which Faust waits for the events in flight."""
EMBEDDED_MODEL: Final = Path(__file__).resolve().parent.parent / "models" / "embedded"

Port = Annotated[int, Field(ge=1, le=65_535)]
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class Settings(BaseSettings):
    """What a worker needs to know. Read once, by `load_settings`, and passed down."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="ignore", populate_by_name=True, arbitrary_types_allowed=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: Source,
        env_settings: Source,
        dotenv_settings: Source,
        file_secret_settings: Source,
    ) -> tuple[Source, ...]:
        """Options, then the environment, then the profile of ``sluice tune``."""
        profile = init_settings().get("profile") or env_settings().get("profile")
        if not profile:
            return init_settings, env_settings
        return init_settings, env_settings, JsonConfigSettingsSource(settings_cls, _readable(Path(profile)))

    bootstrap_servers: str = Field("localhost:9092", min_length=1, description="Kafka brokers, host:port[,host:port].")
    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="How to talk to the brokers: every client of the process does the same."
    )
    ssl_ca: Path | None = Field(
        None, description="PEM file of the authorities to trust; unset: those of the system. Host names are checked."
    )
    ssl_certificate: Path | None = Field(None, description="PEM file of our own certificate, for mutual TLS.")
    ssl_key: Path | None = Field(None, description="PEM file of its private key.")
    ssl_key_password: SecretStr | None = Field(None, description="Password of that key.")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="How to log in."
    )
    sasl_username: str | None = Field(None, description="Who logs in; for OAUTHBEARER the client's id.")
    sasl_password: SecretStr | None = Field(None, description="With what; for OAUTHBEARER the client's secret.")
    sasl_password_file: Path | None = Field(None, description="File that holds it, instead: a mounted secret.")
    sasl_token_url: str | None = Field(
        None, description="For OAUTHBEARER: where the client's credentials are exchanged for a token."
    )
    sasl_scope: str | None = Field(None, description="For OAUTHBEARER: the scope to ask for.")
    group_id: str = Field("sluicegate-gate", min_length=1, description="Consumer group of the gate workers.")
    topic_raw: Topic = Field("queries.raw", description="Raw queries, the input.")
    topic_recall: Topic = Field("queries.recall", description="Allowed queries, for recall.")
    topic_ranking: Topic = Field("queries.ranking", description="Allowed queries, for ranking.")
    topic_blocked: Topic = Field("queries.blocked", description="Queries that go no further.")
    topic_review: Topic = Field("queries.review", description="Queries for the heavy reviewer.")
    topic_reviewed: Topic = Field("queries.reviewed", description="The reviewer's verdicts.")
    topic_deadletter: Topic = Field("queries.deadletter", description="Records that could not be decided.")
    topic_ledger: Topic = Field("queries.ledger", description="The audit record of every decision.")

    model: Path = Field(EMBEDDED_MODEL, description="Folder of the compiled model, or of a registry.")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the model runs.")
    compute_type: Literal[
        "default", "auto", "int8", "int8_float32", "int8_bfloat16", "int8_float16", "float16", "bfloat16", "float32"
    ] = Field("default", description="CTranslate2 compute type; `default` is what the model was compiled to.")
    threads: int = Field(
        0, ge=0, le=256, description="Engine threads; 0 takes one for a small model, else the cores, at most 4."
    )
    max_query_chars: int = Field(512, ge=16, le=2048, description="Characters of a query that are kept.")
    max_query_tokens: int = Field(128, ge=8, le=2048, description="Tokens of a query that the model reads.")
    max_answer_tokens: int = Field(64, ge=8, le=512, description="Tokens that the model may write about a query.")

    batch_size: int = Field(32, ge=1, le=1024, description="Most queries in one call of the engine.")
    replicas: int = Field(1, ge=1, le=64, description="Copies of the model at work at once, each with its own threads.")
    queue_size: int = Field(256, ge=1, le=65_536, description="Most queries that wait for the engine.")
    window: int = Field(256, ge=1, le=65_536, description="Most events taken from Kafka and not yet acknowledged.")
    deadline_ms: int = Field(
        10_000, ge=10, le=45_000, description="Time for the decision on one event, unless the event asks for less."
    )
    shed_after_ms: int = Field(
        0,
        ge=0,
        le=86_400_000,
        description="Age of a record, by its Kafka timestamp, at which the model should have answered: one that is "
        "older, or would be once its turn came, is decided by the policy at once; 0: it may be as old as it likes.",
    )
    cache_size: int = Field(
        10_000, ge=0, le=10_000_000, description="Answers kept, so that an equal query is not judged again; 0: none."
    )
    cache_ttl_s: int = Field(3_600, ge=1, le=604_800, description="Seconds that an answer is kept.")
    dedup_window: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Decided events remembered by id and content, so that a producer's retry or a redelivery publishes "
        "nothing again; 0: none. Each worker remembers its own, until it ends: use `event_id` for more than that.",
    )
    publish_timeout_ms: int = Field(
        10_000, ge=1_000, le=45_000, description="Time for the broker to acknowledge an output."
    )
    session_timeout_ms: int = Field(
        20_000,
        ge=6_000,
        le=60_000,
        description="Time after which Kafka gives the partitions of a worker that fell silent (kill -9) to others.",
    )
    fail: Literal["closed", "open"] = Field(
        "closed",
        description="Without an answer from the model: `closed` sends to review, `open` lets pass, marked degraded. "
        "What is late only by the record's own deadline or timestamp goes to review with either.",
    )
    batch_cost: Annotated[BatchCost | None, NoDecode] = Field(
        None, description="What a batch costs on this machine, as JSON: `sluice tune` measures it."
    )
    profile: Path | None = Field(
        None, description="JSON file of settings that `sluice tune` wrote; the environment and options win over it."
    )
    thresholds: Annotated[dict[Category, Threshold], NoDecode] = Field(
        default_factory=dict,
        description='Overrides of the policy in `sluice models info`, as JSON: {"hate": {"allow": 0.2, "block": 0.6}}: '
        "review from `allow` on, block from `block` on, never where that is above 1.",
    )
    ledger_text: bool = Field(False, description="Write the normalised query into the ledger.")

    otlp_endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices("SLUICE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="OTLP/HTTP endpoint, as http://localhost:4318; OTEL_EXPORTER_OTLP_ENDPOINT does too; unset: off.",
    )
    trace_sample_ratio: float = Field(
        1.0, ge=0, le=1, description="Share of traces recorded where the producer began none."
    )
    http_host: str = Field("127.0.0.1", description="Address that /healthz and /readyz listen on.")
    http_port: Port = Field(6066, description="Port that /healthz and /readyz listen on.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log line written."
    )

    @field_validator("thresholds", mode="before")
    @classmethod
    def _thresholds_from_json(cls, value: object) -> object:
        try:
            return _from_json(value, dict[Category, Threshold])
        except ValueError as error:
            raise ValueError(f'{error}: write {{"hate": {{"allow": 0.2, "block": 0.6}}}}') from None

    @field_validator("batch_cost", mode="before")
    @classmethod
    def _batch_cost_from_json(cls, value: object) -> object:
        return value if value is None else _from_json(value, BatchCost)

    @field_validator("bootstrap_servers")
    @classmethod
    def _host_and_port(cls, servers: str) -> str:
        for server in servers.split(","):
            host, _, port = server.strip().rpartition(":")
            if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError(f"{server.strip()!r} must be host:port")
        return servers

    @field_validator("log_level", "sasl_mechanism", mode="before")
    @classmethod
    def _upper(cls, name: object) -> object:
        return name.upper() if isinstance(name, str) else name

    @field_validator("security_protocol", mode="before")
    @classmethod
    def _lower(cls, name: object) -> object:
        return name.lower() if isinstance(name, str) else name

    @field_validator("otlp_endpoint")
    @classmethod
    def _http_url(cls, url: str | None) -> str | None:
        if not url:
            return None
        if not url.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://, as must OTEL_EXPORTER_OTLP_ENDPOINT in its place")
        return url.rstrip("/")

    @field_validator("otlp_endpoint", "sasl_token_url")
    @classmethod
    def _no_secret(cls, url: str | None) -> str | None:
        if url and ("@" in url or "?" in url):
            raise ValueError("must hold no user, password or query: it is shown by `sluice config show`")
        return url

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        given = [name for name in type(self).model_fields if name.startswith(("ssl_", "sasl_")) and getattr(self, name)]
        wanted = {
            "ssl_": self.uses_tls,
            "sasl_": self.uses_sasl,
        }
        idle = [name for name in given if name != "sasl_mechanism" and not wanted[name[: name.index("_") + 1]]]
        if idle:
            names = ", ".join(ENV_PREFIX + name.upper() for name in idle)
            raise ValueError(f"{names} is set, but SLUICE_SECURITY_PROTOCOL={self.security_protocol} does not use it")
        if bool(self.ssl_certificate) != bool(self.ssl_key):
            raise ValueError("SLUICE_SSL_CERTIFICATE and SLUICE_SSL_KEY go together")
        if self.uses_sasl and not (self.sasl_username and (self.sasl_password or self.sasl_password_file)):
            raise ValueError("SASL needs SLUICE_SASL_USERNAME and SLUICE_SASL_PASSWORD or SLUICE_SASL_PASSWORD_FILE")
        if self.sasl_password and self.sasl_password_file:
            raise ValueError("SLUICE_SASL_PASSWORD and SLUICE_SASL_PASSWORD_FILE exclude each other")
        if self.uses_sasl and self.sasl_mechanism == "OAUTHBEARER" and not self.sasl_token_url:
            raise ValueError("SLUICE_SASL_MECHANISM=OAUTHBEARER needs SLUICE_SASL_TOKEN_URL")
        for name in ("ssl_ca", "ssl_certificate", "ssl_key", "sasl_password_file"):
            file = getattr(self, name)
            if file and (file.is_dir() or not os.access(file, os.R_OK)):
                raise ValueError(f"{ENV_PREFIX}{name.upper()}: cannot read {file}")
        if self.sasl_password_file and not self.sasl_secret:
            raise ValueError(f"SLUICE_SASL_PASSWORD_FILE: {self.sasl_password_file} is empty")
        return self

    @property
    def uses_sasl(self) -> bool:
        """Whether clients log in with SASL."""
        return self.security_protocol.startswith("sasl_")

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security_protocol in ("ssl", "sasl_ssl")

    @property
    def sasl_secret(self) -> str:
        """The password or client secret, of its setting or its file; empty where there is none."""
        if self.sasl_password_file:
            return self.sasl_password_file.read_text(errors="replace").strip()
        return self.sasl_password.get_secret_value() if self.sasl_password else ""

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        topics = list(self.topics.values())
        same = [f"{ENV_PREFIX}TOPIC_{name.upper()}" for name, topic in self.topics.items() if topics.count(topic) > 1]
        if same:
            raise ValueError(f"{', '.join(same)} must name different topics")
        return self

    @model_validator(mode="after")
    def _ends_before_a_rebalance_does(self) -> Self:
        if self.longest_event_s * 1000 > LONGEST_EVENT_MS:
            raise ValueError(
                f"SLUICE_DEADLINE_MS + 3 x SLUICE_PUBLISH_TIMEOUT_MS is {self.longest_event_s * 1000:.0f} ms: keep it "
                f"within {LONGEST_EVENT_MS} ms, so that a rebalance can wait for an event"
            )
        return self

    @property
    def longest_event_s(self) -> float:
        """The longest that one event can take: the decision, its outputs, a dead letter in their place, the ledger."""
        return (self.deadline_ms + 3 * self.publish_timeout_ms) / 1000

    @property
    def topics(self) -> Mapping[str, str]:
        """The topic of each event, by the event's name in `schemas.export.EVENTS`."""
        return {
            name.removeprefix("topic_"): getattr(self, name)
            for name in type(self).model_fields
            if name.startswith("topic_")
        }


def _from_json(value: object, kind: Any) -> object:
    """A setting that is a JSON document in the environment, and an object elsewhere."""
    try:
        return msgspec.json.decode(value, type=kind) if isinstance(value, str) else msgspec.convert(value, kind)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def load_settings(**overrides: object) -> Settings:
    """The settings of this process: `overrides` (command-line options; None means not given), then the environment.

    Raises:
        ConfigurationError: a value is wrong; one line that names every wrong variable.
    """
    _refuse_misspelt_variables()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        problems = "; ".join(
            f"{_variable(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}" for problem in error.errors()
        )
        raise ConfigurationError(f"wrong configuration: {problems}") from None


def _readable(profile: Path) -> Path:
    try:
        document = orjson.loads(profile.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"wrong configuration: SLUICE_PROFILE: cannot read {profile}: {error}. Run `sluice tune` again."
        ) from None
    unknown = set(document) - set(Settings.model_fields) if isinstance(document, dict) else {"not an object"}
    if unknown:
        raise ConfigurationError(
            f"wrong configuration: SLUICE_PROFILE: {profile} has {', '.join(sorted(unknown))}. Run `sluice tune` again."
        )
    return profile


def unknown_variables() -> list[str]:
    """Those with our prefix that are no setting. Others may share it: Kubernetes does, for a service called sluice."""
    return sorted({name for name in os.environ if name.startswith(ENV_PREFIX)}.difference(_variables()))


def _variables() -> list[str]:
    return [ENV_PREFIX + name.upper() for name in Settings.model_fields]


def _refuse_misspelt_variables() -> None:
    for name in unknown_variables():
        if meant := get_close_matches(name, _variables(), 1, 0.9):
            raise ConfigurationError(f"wrong configuration: there is no {name}: did you mean {meant[0]}?")


def _variable(location: tuple[int | str, ...]) -> str:
    if not location:
        return "settings"
    name, *path = map(str, location)
    name = name if name.isupper() else ENV_PREFIX + name.upper()
    return ".".join([name, *path])


def describe_settings(settings: Settings) -> list[tuple[str, str, str, str]]:
    """For each setting: variable, value, default, meaning."""
    return [
        (
            ENV_PREFIX + name.upper(),
            str(getattr(settings, name)),
            str(field.get_default(call_default_factory=True, validated_data={})),
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]
