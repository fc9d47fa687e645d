"""The settings of this process, composed of the sections, and how they are loaded."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Self

import orjson
from pydantic import BaseModel, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, JsonConfigSettingsSource, SettingsConfigDict
from pydantic_settings import PydanticBaseSettingsSource as Source

from sluicegate.agents.settings.chat import ChatSettings
from sluicegate.agents.settings.deciding import DecidingSettings
from sluicegate.agents.settings.formatting import FormattingSettings
from sluicegate.agents.settings.guardrail import GuardrailSettings
from sluicegate.agents.settings.http import HttpSettings
from sluicegate.agents.settings.kafka import KafkaSettings
from sluicegate.agents.settings.model import ModelSettings
from sluicegate.agents.settings.replay import ReplaySettings
from sluicegate.agents.settings.review import ReviewSettings
from sluicegate.agents.settings.review_queue import ReviewQueueSettings
from sluicegate.agents.settings.schema_registry import SchemaRegistrySettings
from sluicegate.agents.settings.second_model import SecondModelSettings
from sluicegate.agents.settings.security import SecuritySettings
from sluicegate.agents.settings.spool import SpoolSettings
from sluicegate.agents.settings.telemetry import TelemetrySettings
from sluicegate.agents.settings.topics import TopicSettings
from sluicegate.agents.settings.upstream import UpstreamSettings
from sluicegate.agents.settings.variables import ENV_PREFIX, variable
from sluicegate.agents.time_budget import (
    DEDUP_WAIT_S,
    END_CONNECTIONS_S,
    LOGS_S,
    LONGEST_EVENT_S,
    PUBLISHES,
    TELEMETRY_S,
    TimeBudget,
)
from sluicegate.schemas.errors import ConfigurationError


class Settings(
    KafkaSettings,
    SecuritySettings,
    TopicSettings,
    SchemaRegistrySettings,
    ReplaySettings,
    ModelSettings,
    SecondModelSettings,
    DecidingSettings,
    ReviewSettings,
    ReviewQueueSettings,
    FormattingSettings,
    SpoolSettings,
    TelemetrySettings,
    HttpSettings,
    ChatSettings,
    GuardrailSettings,
    UpstreamSettings,
    BaseSettings,
):
    """All settings. `load_settings` reads them once; they are passed down from there."""

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
        """In order of precedence: options, the environment, the profile of ``sluice calibrate``."""
        profile = init_settings().get("profile") or env_settings().get("profile")
        if not profile:
            return init_settings, env_settings
        return init_settings, env_settings, JsonConfigSettingsSource(settings_cls, _readable(Path(profile)))

    @model_validator(mode="after")
    def _event_fits_into_a_rebalance(self) -> Self:
        wait = f" + {DEDUP_WAIT_S * 1000:.0f} (SLUICE_DEDUP_WINDOW)" if self.dedup_window else ""
        if too_long := _longer_than_a_rebalance_waits(self.time_budget, "deadline_ms", wait):
            raise ValueError(too_long)
        return self

    @model_validator(mode="after")
    def _thresholds_have_one_source(self) -> Self:
        for given, name, table in (
            (self.thresholds, "SLUICE_THRESHOLDS", "thresholds"),
            (self.second_thresholds, "SLUICE_SECOND_THRESHOLDS", "second.thresholds"),
        ):
            if self.policy and given:
                raise ValueError(
                    f"{name} and SLUICE_POLICY exclude each other: write the thresholds into the policy file, "
                    f"under [{table}.CATEGORY], and unset {name}"
                )
        return self

    @property
    def of_second_model(self) -> "Settings | None":
        """These settings as the second model needs them: it is their model. None if there is none."""
        if self.second_model is None:
            return None
        return self.model_copy(
            update={
                "model": self.second_model,
                "second_model": None,
                "thresholds": self.second_thresholds,
                "device": self.second_device,
                "compute_type": self.second_compute_type,
                "threads": self.second_threads,
                "replicas": self.second_replicas,
                "nice": self.second_nice,
                "batch_size": self.second_batch_size,
                "batch_cost": self.second_batch_cost,
                "queue_size": self.second_queue_size,
                "max_answer_tokens": 0,
                "policy": None,
            }
        )

    @property
    def time_budget(self) -> TimeBudget:
        """How long one event of the gate, and its worker's stop, can take."""
        return self._budget(self.deadline_ms, deduplicates=self.dedup_window > 0)

    @property
    def review_consumer_group(self) -> str:
        """The consumer group of the review agent."""
        return self.review_group_id or f"{self.group_id}-review"

    @property
    def review_time_budget(self) -> TimeBudget:
        """How long one event of the review agent can take. Raises ConfigurationError if no rebalance waits for it."""
        budget = self._checked_budget("review_deadline_ms", deduplicates=self.dedup_window > 0)
        return replace(budget, held_s=self.review_hold_s if self.review_fallback == "hold" else 0)

    @property
    def format_consumer_group(self) -> str:
        """The consumer group of the format agent."""
        return self.format_group_id or f"{self.group_id}-format"

    @property
    def format_time_budget(self) -> TimeBudget:
        """How long one event of the format agent can take. Raises ConfigurationError if no rebalance waits for it."""
        return self._checked_budget("format_deadline_ms")

    @property
    def serve_stop_s(self) -> float:
        """The longest that the stop of `sluice serve` can take: open requests, the ledger, the last telemetry."""
        ledger_ms = self.publish_timeout_ms if self.http_ledger == "kafka" else 0
        requests_ms = self.deadline_ms + self.http_read_timeout_ms
        return (requests_ms + ledger_ms) / 1000 + END_CONNECTIONS_S + TELEMETRY_S + LOGS_S

    def _checked_budget(self, deadline: str, *, deduplicates: bool = False) -> TimeBudget:
        budget = self._budget(getattr(self, deadline), deduplicates=deduplicates)
        if too_long := _longer_than_a_rebalance_waits(budget, deadline):
            raise ConfigurationError(f"wrong configuration: {too_long}")
        return budget

    def _budget(self, deadline_ms: int, *, deduplicates: bool = False) -> TimeBudget:
        return TimeBudget(
            deadline_s=deadline_ms / 1000, publish_timeout_s=self.publish_timeout_ms / 1000, deduplicates=deduplicates
        )


def _longer_than_a_rebalance_waits(budget: TimeBudget, deadline: str, wait: str = "") -> str | None:
    """What is wrong with the limits of one event; None if nothing is. `deadline` is the setting, `wait` one more term.

    Not checked for an agent that does not run here: its settings must not stop the others.
    """
    if budget.event_s <= LONGEST_EVENT_S:
        return None
    return (
        f"{variable(deadline)} + {PUBLISHES} x SLUICE_PUBLISH_TIMEOUT_MS{wait} is {budget.event_s * 1000:.0f} ms: "
        f"keep it within {LONGEST_EVENT_S * 1000:.0f} ms, so that a rebalance can wait for an event"
    )


SECTIONS: Final[tuple[type[BaseModel], ...]] = tuple(
    section for section in Settings.__bases__ if section is not BaseSettings
)
"""In the order in which they are documented."""


def load_settings(**overrides: object) -> Settings:
    """The settings of this process: `overrides` (command-line options; None means not given), then the environment.

    Raises:
        ConfigurationError: a value is wrong. One line that names every wrong variable.
    """
    _refuse_misspelt_variables()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        problems = "; ".join(f"{_named(problem['loc'])}{_in_words(problem)}" for problem in error.errors())
        raise ConfigurationError(f"wrong configuration: {problems}") from None


def unknown_variables() -> list[str]:
    """Variables with our prefix that are not settings. Kubernetes makes some for a service called `sluice`."""
    return sorted({name for name in os.environ if name.startswith(ENV_PREFIX)}.difference(_variables()))


def warnings_about(settings: Settings) -> Iterator[str]:
    """A sentence on unknown variables, and one on those of a second model where there is none: they have no effect."""
    if unknown := unknown_variables():
        yield f"there is no setting {', '.join(unknown)}: ignored"
    unused = sorted(variable(name) for name in settings.model_fields_set if name.startswith("second_"))
    if unused and settings.second_model is None:
        yield f"SLUICE_SECOND_MODEL is not set: {', '.join(unused)} ignored"


_MEASURED: Final = frozenset({"rate", "tokens"})
"""What a profile says for `sluice capacity`, besides settings."""


def _readable(profile: Path) -> Path:
    try:
        document = orjson.loads(profile.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"wrong configuration: SLUICE_PROFILE: cannot read {profile}: {reason}. Run `sluice calibrate` again."
        ) from None
    if not isinstance(document, dict):
        raise ConfigurationError(
            f"wrong configuration: SLUICE_PROFILE: {profile} is not a JSON object. Run `sluice calibrate` again."
        )
    if unknown := sorted(set(document) - set(Settings.model_fields) - _MEASURED):
        raise ConfigurationError(
            f"wrong configuration: SLUICE_PROFILE: {profile} sets {', '.join(unknown)}, which is not a setting. "
            "Run `sluice calibrate` again."
        )
    return profile


def _refuse_misspelt_variables() -> None:
    for name in unknown_variables():
        if meant := get_close_matches(name, _variables(), 1, 0.9):
            raise ConfigurationError(f"wrong configuration: there is no {name}: did you mean {meant[0]}?")


def _variables() -> list[str]:
    return list(map(variable, Settings.model_fields))


_RULES: Final[Mapping[str, str]] = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_pattern_mismatch": "must match {pattern}",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
"""What is wrong, by the type of pydantic's error. The names in braces are those of its context."""


def _in_words(problem: ErrorDetails) -> str:
    """What is wrong with a value, without the value: it may be a secret."""
    rule = _RULES.get(problem["type"])
    return rule.format(**problem.get("ctx", {})) if rule else problem["msg"].removeprefix("Value error, ")


def _named(location: tuple[int | str, ...]) -> str:
    """The variable that pydantic's `location` is about, and the path inside its JSON value, before what is wrong.

    Nothing if it is about several variables: the message then names them.
    """
    if not location:
        return ""
    name, *path = map(str, location)
    return f"{'.'.join([name if name.isupper() else variable(name), *path])}: "
