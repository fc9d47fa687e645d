"""API keys: made once, kept as hashes, asked for, and read again when their file changes."""

import asyncio
from pathlib import Path

import pytest

from sluicegate.agents.http import keys
from sluicegate.agents.http.access import Access
from sluicegate.agents.http.keys import ApiKeys, KeyFile, add_key
from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.judge import Judge
from sluicegate.schemas.errors import ConfigurationError
from tests.support.command import sluice
from tests.support.http_api import serving

BODY = {"text": "red shoes"}


def test_a_key_is_accepted_and_is_nowhere_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    first, second = add_key(file, "search"), add_key(file, "ads")
    accepted = ApiKeys.read(file)
    assert [accepted.owner_of(key.encode()) for key in (first, second, first + "x")] == ["search", "ads", None]
    assert first not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "two words", "a/b", "x" * 65, "new\nline"])
def test_a_name_that_would_break_the_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="an API key's name has"):
        add_key(tmp_path / "keys", name)


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    add_key(tmp_path / "keys", "search")
    with pytest.raises(ConfigurationError, match="has a key for search"):
        add_key(tmp_path / "keys", "search")


def test_a_file_that_is_wrong_is_refused_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# a comment\n\nsecret  search\n")
    with pytest.raises(ConfigurationError, match=r"keys, line 3 is not an API key: make one with `sluice"):
        ApiKeys.read(tmp_path / "keys")
    with pytest.raises(ConfigurationError, match=r"cannot read the API keys in .*none: No such file"):
        ApiKeys.read(tmp_path / "none")


async def test_only_a_request_with_a_key_is_answered(engine: Judge, tmp_path: Path) -> None:
    key = add_key(tmp_path / "keys", "search")
    async with serving(engine, http_keys=tmp_path / "keys") as api:
        statuses = [
            (await api.client.post("/v1/moderate", json=BODY, headers=headers)).status_code
            for headers in (
                {},
                {"authorization": f"Bearer {key}"},
                {"authorization": f"bearer {key}"},
                {"x-api-key": key},
                {"authorization": key},
                {"authorization": f"Basic {key}"},
                {"authorization": f"Bearer {key}x"},
            )
        ]
        probe = await api.client.get("/livez")
    assert statuses == [401, 200, 200, 200, 401, 401, 401]
    assert probe.status_code == 200


async def test_each_key_has_a_rate_of_its_own(engine: Judge, tmp_path: Path) -> None:
    first, second = add_key(tmp_path / "keys", "search"), add_key(tmp_path / "keys", "ads")
    async with serving(engine, http_keys=tmp_path / "keys", http_rate="1/minute") as api:
        statuses = [
            (await api.client.post("/v1/moderate", json=BODY, headers={"x-api-key": key})).status_code
            for key in (first, first, second)
        ]
    assert statuses == [200, 429, 200]


async def test_a_new_key_is_accepted_and_a_deleted_one_refused_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keys, "_LOOK_EVERY_S", 0.01)
    path = tmp_path / "keys"
    first = add_key(path, "search").encode()
    key_file = KeyFile(path)
    follower = asyncio.create_task(key_file.follow())
    second = add_key(path, "ads").encode()
    async with asyncio.timeout(30):
        while key_file.keys.owner_of(second) is None:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.01)
        path.write_text("nonsense\n")
        while "the API keys stay as they were" not in caplog.text:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)
        assert key_file.keys.owner_of(first) == "search"
        path.write_text("")
        while key_file.keys.owner_of(first):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)
    follower.cancel()


def test_without_keys_only_loopback_is_served(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"0\.0\.0\.0 needs API keys: `sluice keys add NAME` makes one"):
        Access(load_settings(http_host="0.0.0.0"))
    add_key(tmp_path / "keys", "search")
    Access(load_settings(http_host="0.0.0.0", http_keys=tmp_path / "keys"))
    Access(load_settings(http_host="::1"))


def test_the_command_prints_the_key_once(tmp_path: Path) -> None:
    done = sluice("keys", "add", "search", "--file", tmp_path / "keys")
    assert done.returncode == 0
    assert ApiKeys.read(tmp_path / "keys").owner_of(done.stdout.strip()) == "search"
    without = sluice("keys", "add", "search")
    assert without.returncode == 78
    assert b"set SLUICE_HTTP_KEYS, or give --file" in without.stderr
