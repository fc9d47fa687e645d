"""Settings come from the environment, are checked at once, and say in one line which variable is wrong."""

import os
from pathlib import Path
from typing import get_args

import ctranslate2
import pytest
from pydantic import SecretStr

from sluicegate.agents.settings import (
    EMBEDDED_MODEL,
    SECTIONS,
    Settings,
    as_markdown,
    describe_settings,
    load_settings,
    unknown_variables,
)
from sluicegate.agents.settings.variables import variable
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.errors import ConfigurationError
from sluicegate.schemas.events import Threshold
from sluicegate.schemas.topics import TOPICS


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("SLUICE_", "OTEL_")):
            monkeypatch.delenv(name)


def refusal() -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_an_empty_environment_is_enough() -> None:
    settings = load_settings()
    assert settings.bootstrap_servers == "localhost:9092"
    assert settings.model == EMBEDDED_MODEL
    assert settings.otlp_endpoint is None
    assert settings.thresholds == {}


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_compute_type_that_calibrate_can_choose_is_accepted() -> None:
    for compute_type in ctranslate2.get_supported_compute_types("cpu"):
        assert load_settings(compute_type=compute_type).compute_type == compute_type


def test_every_secret_can_be_read_from_a_file_but_not_from_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = [name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)]
    assert "sasl_password" in names
    secret = tmp_path / "secret"
    secret.write_text("correct-horse-battery\n")
    logins = {"security_protocol": "sasl_ssl", "sasl_username": "us", "sasl_password": "horse"}
    upstream = {"upstream": "http://host/v1", "upstream_model": "m"}
    for name in names:
        given = {**upstream, **(logins if name.startswith(("ssl_", "sasl_")) else {})}
        if name.startswith("schema_registry_"):
            given["schema_registry_username"] = "us"
        given.pop(name, None)
        assert str(getattr(load_settings(**given, **{f"{name}_file": secret}), f"{name}_file")) == str(secret)
        with pytest.raises(ConfigurationError, match=f"{variable(name)} and {variable(name)}_FILE exclude each other"):
            load_settings(**given, **{name: "correct-horse-battery", f"{name}_file": secret})
        with pytest.raises(ConfigurationError, match=f"{variable(name)}_FILE: cannot read"):
            load_settings(**given, **{f"{name}_file": tmp_path / "none"})


def test_every_setting_belongs_to_one_section() -> None:
    names = [name for section in SECTIONS for name in section.model_fields]
    assert sorted(names) == sorted(Settings.model_fields)


def test_no_section_hides_a_check_of_another() -> None:
    checks = [
        name
        for section in SECTIONS
        for kind in ("field_validators", "model_validators")
        for name in getattr(section.__pydantic_decorators__, kind)
    ]
    assert len(checks) == len(set(checks)) > 5


def test_the_reference_of_the_settings_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "settings.md"
    assert page.read_text() == as_markdown(), "run `make docs`"


def test_the_reference_of_the_settings_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = as_markdown()
    monkeypatch.setenv("SLUICE_WINDOW", "7")
    assert as_markdown() == before


def test_every_event_has_a_topic_named_after_it() -> None:
    assert load_settings().topics == {name: topic.default_topic for name, topic in TOPICS.items()}


def test_command_line_options_come_before_the_environment_and_none_means_not_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLUICE_GROUP_ID", "from-the-environment")
    monkeypatch.setenv("SLUICE_BATCH_SIZE", "8")
    settings = load_settings(group_id="from-the-command-line", batch_size=None)
    assert (settings.group_id, settings.batch_size) == ("from-the-command-line", 8)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SLUICE_BOOTSTRAP_SERVERS", "", "must have at least 1 character"),
        ("SLUICE_GROUP_ID", "", "must have at least 1 character"),
        ("SLUICE_TOPIC_RAW", "", "must match"),
        ("SLUICE_BOOTSTRAP_SERVERS", "localhost", "must be host:port"),
        ("SLUICE_BOOTSTRAP_SERVERS", "kafka://localhost:9092", "must be host:port"),
        ("SLUICE_BOOTSTRAP_SERVERS", "user:correct-horse@kafka:9092", "must not contain a user or a password"),
        ("SLUICE_DEVICE", "tpu", "must be 'cpu' or 'cuda'"),
        ("SLUICE_COMPUTE_TYPE", "int3", "'int8'"),
        ("SLUICE_THREADS", "-1", "must be at least 0"),
        ("SLUICE_MAX_QUERY_CHARS", "4096", "must be at most 2048"),
        ("SLUICE_MAX_QUERY_TOKENS", "7", "must be at least 8"),
        ("SLUICE_MAX_ANSWER_TOKENS", "7", "must be at least 8"),
        ("SLUICE_BATCH_SIZE", "0", "must be at least 1"),
        ("SLUICE_BATCH_SIZE", "many\nmore", "must be a whole number"),
        ("SLUICE_QUEUE_SIZE", "0", "must be at least 1"),
        ("SLUICE_WINDOW", "0", "must be at least 1"),
        ("SLUICE_DEADLINE_MS", "60000", "must be at most 45000"),
        ("SLUICE_PUBLISH_TIMEOUT_MS", "60000", "must be at most 45000"),
        ("SLUICE_FAIL", "ajar", "'closed' or 'open'"),
        ("SLUICE_LEDGER_TEXT", "perhaps", "must be true or false"),
        ("SLUICE_OTLP_ENDPOINT", "localhost:4318", "must start with http:// or https://"),
        ("SLUICE_TRACE_SAMPLE_RATIO", "1.5", "must be at most 1"),
        ("SLUICE_TRACE_SAMPLE_RATIO", "nan", "must be"),
        ("SLUICE_HTTP_PORT", "0", "must be at least 1"),
        ("SLUICE_HTTP_PORT", "65536", "must be at most 65535"),
        ("SLUICE_LOG_LEVEL", "LOUD", "'DEBUG'"),
        ("SLUICE_THRESHOLDS", "{", "truncated"),
        ("SLUICE_THRESHOLDS", "{", 'write {"hate": {"allow": 0.2, "block": 0.6}}'),
        ("SLUICE_BOOTSTRAP_SERVERS", "kafka:99999", "'kafka:99999' must be host:port"),
        ("SLUICE_TOPIC_RAW", "raw queries", "must match"),
        ("SLUICE_THRESHOLDS", "[]", "Expected `object`"),
        ("SLUICE_THRESHOLDS", '{"rudeness": {"allow": 0.1, "block": 0.2}}', "'rudeness'"),
        ("SLUICE_THRESHOLDS", '{"hate": {"allow": 0.1}}', "`block`"),
        ("SLUICE_THRESHOLDS", '{"hate": {"allow": 1.5, "block": 2}}', "<= 1.0"),
        ("SLUICE_THRESHOLDS", '{"hate": {"allow": 0.5, "block": 0.1}}', "must not be below allow"),
        ("SLUICE_SECOND_THRESHOLDS", '{"rudeness": {"allow": 0.1, "block": 0.2}}', "'rudeness'"),
        ("SLUICE_SECOND_CONFIRMS", "spam,rudeness", "there is no category 'rudeness': write some of hate, "),
        ("SLUICE_SECOND_SAMPLE", "2", "must be at most 1"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    message = refusal()
    assert f"{variable}: " in message
    assert said in message
    assert "correct-horse" not in message


@pytest.mark.parametrize(
    ("name", "table"), [("SLUICE_THRESHOLDS", "thresholds"), ("SLUICE_SECOND_THRESHOLDS", "second.thresholds")]
)
def test_thresholds_have_one_source(monkeypatch: pytest.MonkeyPatch, name: str, table: str) -> None:
    monkeypatch.setenv("SLUICE_POLICY", "policy.toml")
    monkeypatch.setenv(name, '{"hate": {"allow": 0.2, "block": 0.6}}')
    assert f"{name} and SLUICE_POLICY exclude each other" in refusal()
    assert f"under [{table}.CATEGORY]" in refusal()


def test_the_second_model_has_settings_of_its_own() -> None:
    settings = load_settings(
        model=Path("first"), second_model=Path("second"), threads=2, second_threads=1, second_batch_size=4
    )
    second = settings.of_second_model
    assert second is not None
    assert (second.model, second.threads, second.batch_size, second.second_model) == (Path("second"), 1, 4, None)
    assert load_settings().of_second_model is None


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_DEVICE", "tpu")
    monkeypatch.setenv("SLUICE_WINDOW", "none")
    message = refusal()
    assert "SLUICE_DEVICE: " in message
    assert "SLUICE_WINDOW: " in message


def test_topics_must_differ_and_those_that_do_not_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TOPIC_RECALL", "same")
    monkeypatch.setenv("SLUICE_TOPIC_LEDGER", "same")
    message = refusal()
    assert "wrong configuration: SLUICE_TOPIC_RECALL, SLUICE_TOPIC_LEDGER must name different topics" in message
    assert "SLUICE_TOPIC_RAW" not in message


def test_an_unknown_variable_is_named_and_a_misspelt_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_INPUT_TOPIC", "queries")
    load_settings()
    assert unknown_variables() == ["SLUICE_INPUT_TOPIC"]
    monkeypatch.setenv("SLUICE_WINDWO", "1")
    assert "SLUICE_WINDWO: did you mean SLUICE_WINDOW" in refusal()


@pytest.mark.parametrize(
    ("thresholds", "named"),
    [
        (
            '{"hate": {"allow": 0.1, "block": 1}, "spam": {"block": 0.5}}',
            "'spam': Object missing required",
        ),
        ('{"spam": {"allow": 0.7, "block": 0.5}}', "'spam': block (0.5) must not be below allow (0.7)"),
        ('{"rude": {"allow": 0.1, "block": 1}}', "there is no category 'rude', only hate, harassment, "),
        ("{", "truncated"),
    ],
)
def test_a_wrong_threshold_is_named_by_its_category(
    monkeypatch: pytest.MonkeyPatch, thresholds: str, named: str
) -> None:
    monkeypatch.setenv("SLUICE_THRESHOLDS", thresholds)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_thresholds_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_THRESHOLDS", '{"hate": {"allow": 0.2, "block": 1.1}}')
    assert load_settings().thresholds == {Category.HATE: Threshold(allow=0.2, block=1.1)}


@pytest.mark.parametrize("variable", ["SLUICE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_telemetry_goes_where_either_name_says(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "http://collector:4318/")
    assert load_settings().otlp_endpoint == "http://collector:4318"


def test_our_own_name_for_the_otlp_endpoint_comes_first_and_empty_means_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://theirs:4318")
    monkeypatch.setenv("SLUICE_OTLP_ENDPOINT", "http://ours:4318")
    assert load_settings().otlp_endpoint == "http://ours:4318"
    monkeypatch.setenv("SLUICE_OTLP_ENDPOINT", "")
    assert load_settings().otlp_endpoint is None


def test_a_wrong_otlp_endpoint_is_refused_whichever_name_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in refusal()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().window = 1


def test_a_misspelt_variable_is_refused_and_a_stranger_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_PORT", "tcp://10.0.0.7:80")
    load_settings()
    monkeypatch.setenv("SLUICE_BATCHSIZE", "5")
    assert "did you mean SLUICE_BATCH_SIZE?" in refusal()


def test_the_log_level_may_be_written_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LOG_LEVEL", "debug")
    assert load_settings().log_level == "DEBUG"


def test_an_event_may_not_take_longer_than_a_rebalance_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_DEADLINE_MS", "45000")
    assert "SLUICE_DEADLINE_MS + 4 x SLUICE_PUBLISH_TIMEOUT_MS is 85000 ms" in refusal()
    monkeypatch.setenv("SLUICE_PUBLISH_TIMEOUT_MS", "8000")
    load_settings()
    monkeypatch.setenv("SLUICE_DEDUP_WINDOW", "1")
    assert "SLUICE_PUBLISH_TIMEOUT_MS + 5000 (SLUICE_DEDUP_WINDOW) is 82000 ms" in refusal()


def test_a_profile_fills_in_what_neither_options_nor_the_environment_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cost = '{"call": 1, "token": 2, "step": 3, "member": 4, "answer": 5}'
    profile = tmp_path / "profile.json"
    profile.write_text(f'{{"threads": 3, "replicas": 2, "batch_size": 8, "batch_cost": {cost}}}')
    monkeypatch.setenv("SLUICE_PROFILE", str(profile))
    monkeypatch.setenv("SLUICE_BATCH_SIZE", "16")
    settings = load_settings(threads=1)
    assert (settings.threads, settings.batch_size, settings.replicas) == (1, 16, 2)
    assert settings.batch_cost == BatchCost(call=1, token=2, step=3, member=4, answer=5)
    monkeypatch.setenv("SLUICE_BATCH_COST", cost.replace("5", "6"))
    assert load_settings().batch_cost == BatchCost(call=1, token=2, step=3, member=4, answer=6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "profile.json: No such file or directory. Run"),
        ("{", "SLUICE_PROFILE: cannot read"),
        ("[]", "is not a JSON object"),
        ('{"speed": 1}', "sets speed, which is not a setting"),
        ('{"batch_cost": {"call": 1}}', "SLUICE_BATCH_COST: Object missing required field `token`"),
        ('{"replicas": -1}', "SLUICE_REPLICAS: "),
    ],
)
def test_a_broken_profile_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, said: str
) -> None:
    profile = tmp_path / "profile.json"
    if content is not None:
        profile.write_text(content)
    monkeypatch.setenv("SLUICE_PROFILE", str(profile))
    assert said in refusal()


LOGIN = {"security_protocol": "sasl_ssl", "sasl_username": "worker"}
SASL = {**LOGIN, "sasl_password": "correct-horse"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sasl_username": "worker"}, "SLUICE_SASL_USERNAME is set, but SLUICE_SECURITY_PROTOCOL=plaintext"),
        ({"security_protocol": "ssl", "sasl_password": "correct-horse"}, "SLUICE_SASL_PASSWORD is set, but"),
        ({**SASL, "security_protocol": "sasl_plaintext", "ssl_ca": "/etc/passwd"}, "SLUICE_SSL_CA is set, but"),
        ({"security_protocol": "sasl_ssl"}, "SASL needs SLUICE_SASL_USERNAME and"),
        ({**SASL, "sasl_password_file": "/etc/passwd"}, "exclude each other"),
        ({**SASL, "sasl_mechanism": "OAUTHBEARER"}, "needs SLUICE_SASL_TOKEN_URL"),
        ({"security_protocol": "ssl", "ssl_key": "/etc/passwd"}, "SLUICE_SSL_CERTIFICATE and SLUICE_SSL_KEY must"),
        ({"security_protocol": "ssl", "ssl_ca": "/not/there"}, "SLUICE_SSL_CA: cannot read /not/there"),
        ({"security_protocol": "ssl", "ssl_ca": "/tmp"}, "SLUICE_SSL_CA: cannot read /tmp"),
        ({**LOGIN, "sasl_password_file": "/tmp"}, "SLUICE_SASL_PASSWORD_FILE: cannot read /tmp"),
        ({**LOGIN, "sasl_password_file": "/dev/null"}, "SLUICE_SASL_PASSWORD_FILE: /dev/null is empty"),
        (
            {**SASL, "sasl_token_url": "https://u:correct-horse@x/token"},
            "SLUICE_SASL_TOKEN_URL: must not contain",
        ),
        ({**SASL, "sasl_token_url": "https://x/?key=correct-horse"}, "SLUICE_SASL_TOKEN_URL: must not contain"),
        ({"otlp_endpoint": "https://u:correct-horse@x"}, "SLUICE_OTLP_ENDPOINT: must not contain a user"),
    ],
)
def test_a_login_that_cannot_work_is_refused_in_one_line_without_a_password(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as error:
        load_settings(**given)
    assert "correct-horse" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_password_is_never_shown() -> None:
    settings = load_settings(**SASL)
    assert settings.sasl_secret == "correct-horse"
    assert "correct-horse" not in repr(settings) + str(describe_settings(settings))


def test_every_agent_has_a_group_of_its_own_that_follows_the_gates() -> None:
    settings = load_settings(group_id="search")
    assert (settings.review_consumer_group, settings.format_consumer_group) == ("search-review", "search-format")
    named = load_settings(review_group_id="second-look", format_group_id="strict-json")
    assert (named.review_consumer_group, named.format_consumer_group) == ("second-look", "strict-json")


def test_a_deadline_that_no_rebalance_waits_for_stops_the_agent_it_belongs_to_and_no_other() -> None:
    settings = load_settings(deadline_ms=1_000, publish_timeout_ms=19_000, review_deadline_ms=5_000)
    for agent in ("format", "review"):
        with pytest.raises(ConfigurationError, match=f"SLUICE_{agent.upper()}_DEADLINE_MS .* keep it within 80000 ms"):
            _ = getattr(settings, f"{agent}_time_budget")
