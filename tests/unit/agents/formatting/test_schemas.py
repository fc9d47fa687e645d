"""The schemas that actions may follow: a folder that is followed, and schemas that come with their text."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from sluicegate.agents.deciding import settled_files
from sluicegate.agents.formatting import inline_schemas
from sluicegate.agents.formatting.inline_schemas import InlineSchemas
from sluicegate.agents.formatting.live_schemas import LiveSchemas
from sluicegate.agents.formatting.schema_folder import SchemaFolder
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.errors import ConfigurationError, SchemaRefused, SchemaUnknown

SIZE = {"type": "object", "properties": {"size": {"type": "integer"}}}
REFUSED = {"type": "object", "properties": {"size": {"not": {}}}}


def write(path: Path, schema: Mapping[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(orjson.dumps(schema))


def test_an_action_that_names_no_version_gets_the_newest(tmp_path: Path) -> None:
    for version in ("9", "10", "1.9", "1.10"):
        write(tmp_path / "booking" / f"{version}.json", {**SIZE, "title": version})
    write(tmp_path / "order.json", SIZE)
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / ".hidden.json").write_text("{")
    folder = SchemaFolder.read(tmp_path)
    assert len(folder) == 5
    assert folder.find("booking", None).version == "10"
    assert folder.find("booking", "1.9").document["title"] == "1.9"
    assert folder.find("order", None).version is None


@pytest.mark.parametrize(
    ("schema_id", "version", "said"),
    [
        ("bookings", None, "there is no schema 'bookings'; there is booking"),
        ("booking", "3", "the schema 'booking' has no version '3'; it has 1, 2"),
        ("../booking", None, "there is no schema"),
    ],
)
def test_a_schema_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, schema_id: str, version: str | None, said: str
) -> None:
    for known in ("1", "2"):
        write(tmp_path / "booking" / f"{known}.json", SIZE)
    with pytest.raises(SchemaUnknown, match=said):
        SchemaFolder.read(tmp_path).find(schema_id, version)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"order.json": REFUSED}, r"order\.json is refused: .*`#/properties/size`, keyword `not`"),
        ({"order.json": SIZE, "order/1.json": SIZE}, r"order has versions in .*: move .*order\.json there"),
        ({"two words.json": SIZE}, "two words.json has a name that no schema can have"),
    ],
)
def test_a_folder_with_a_wrong_file_is_refused_in_one_line_that_names_it(
    tmp_path: Path, files: Mapping[str, Mapping[str, Any]], said: str
) -> None:
    for name, schema in files.items():
        write(tmp_path / name, schema)
    with pytest.raises(ConfigurationError, match=said) as refused:
        SchemaFolder.read(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"SLUICE_FORMAT_SCHEMAS: there is no folder {tmp_path / 'none'}"):
        LiveSchemas(tmp_path / "none")


async def until_true(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_a_changed_folder_is_in_use_and_a_broken_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled_files, "LOOK_EVERY_S", 0.02)
    write(tmp_path / "order" / "1.json", SIZE)
    async with LiveSchemas(tmp_path).following() as schemas:
        write(tmp_path / "order" / "2.json", REFUSED)
        await until_true(schemas.warnings)
        assert "2.json is refused" in schemas.warnings()[0]
        assert schemas.find("order", None).version == "1"
        write(tmp_path / "order" / "2.json", SIZE)
        await until_true(lambda: schemas.find("order", None).version == "2")
        assert schemas.warnings() == []


async def test_an_inline_schema_is_compiled_once_and_so_is_a_refused_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    compile_ = inline_schemas._compiled

    def counting(source: bytes) -> FormatSchema | SchemaRefused:
        compiled.append(source)
        return compile_(source)

    monkeypatch.setattr(inline_schemas, "_compiled", counting)
    inline = InlineSchemas()
    both = await asyncio.gather(inline.compile(SIZE), inline.compile(dict(SIZE)))
    assert both[0] is both[1]
    for _ in range(2):
        with pytest.raises(SchemaRefused, match="keyword `not`") as refused:
            await inline.compile(REFUSED)
        assert refused.value.path == "/properties/size"
    assert len(compiled) == 2
    inline.close()


async def test_schemas_whose_callers_have_gone_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    started, release = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    compiled: list[bytes] = []

    def slow(source: bytes) -> SchemaRefused:
        compiled.append(source)
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10)
        return SchemaRefused("slow")

    monkeypatch.setattr(inline_schemas, "_compiled", slow)
    inline = InlineSchemas()
    callers = [asyncio.create_task(inline.compile({"title": str(number)})) for number in range(20)]
    await started.wait()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    release.set()
    with pytest.raises(SchemaRefused):
        await inline.compile({"title": "next"})
    assert compiled == [b'{"title":"0"}', b'{"title":"next"}']
    inline.close()


@pytest.mark.parametrize("hostile", [{"title": "\ud800"}, {"maximum": float("inf")}])
async def test_a_schema_that_json_cannot_hold_is_refused(hostile: dict[str, Any]) -> None:
    inline = InlineSchemas()
    with pytest.raises(SchemaRefused, match="JSON cannot express"):
        await inline.compile(hostile)
    inline.close()
