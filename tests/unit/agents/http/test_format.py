"""`POST /v1/format`, and what it refuses."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.http_api import serving

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {"quantity": {"type": "integer"}, "colour": {"enum": ["red", "blue"]}},
    "required": ["quantity", "colour"],
}
ASKED = {"text": "three red ones, please", "schema": ORDER}


async def test_a_text_becomes_json_of_its_schema_inline_or_by_name(tmp_path: Path) -> None:
    (tmp_path / "order").mkdir()
    (tmp_path / "order" / "7.json").write_bytes(orjson.dumps(ORDER))
    async with serving(format_schemas=tmp_path) as api:
        inline = await api.client.post("/v1/format", json={**ASKED, "event_id": "e-1"})
        by_name = await api.client.post("/v1/format", json={"text": ASKED["text"], "schema_id": "order"})
        missing = await api.client.post("/v1/format", json={"text": ASKED["text"], "schema_id": "orders"})
    answer = inline.raise_for_status().json()
    assert (answer["event_id"], answer["value"]) == ("e-1", {"quantity": 3, "colour": "red"})
    assert answer["grounding"][1] == {"pointer": "/colour", "how": "enum", "start": 6, "end": 9}
    assert {"queue", "model"} < {part.partition(";")[0] for part in inline.headers["server-timing"].split(", ")}
    named = by_name.raise_for_status().json()
    assert named["value"] == answer["value"]
    assert named["json_schema"] == {"id": "order", "version": "7", "hash": answer["json_schema"]["hash"]}
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "schema_not_found"


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"text": ""}, 400, "invalid_field", "$.text"),
        ({"schema": {"not": {}}}, 400, "unsupported", "$.schema"),
        ({"schema": None}, 400, "invalid_field", None),
        ({"schema_id": "order"}, 400, "invalid_field", None),
        ({"schemas": 1}, 400, "invalid_field", "$.schemas"),
        ({"text": "nothing of use"}, 422, "cannot_format", "$.text"),
        ({"text": "three red ones " * 2000}, 422, "cannot_format", "$.text"),
    ],
)
async def test_what_cannot_be_formatted_is_refused_with_its_code_and_field(
    changes: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    async with serving() as api:
        answer = await api.client.post("/v1/format", json={**ASKED, **changes})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code), error
    assert param is None or error["param"] == param
    assert "red" not in error["message"]
