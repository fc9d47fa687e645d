"""The OpenAPI document: committed, served, and true."""

from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from sluicegate.agents.http.app import DOORS, document
from sluicegate.models.inference.judge import Judge
from tests.support.http_api import serving

COMMITTED = Path(__file__).parents[4] / "schemas" / "json" / "openapi.json"


def test_the_committed_document_is_that_of_the_code() -> None:
    assert orjson.loads(COMMITTED.read_bytes()) == orjson.loads(orjson.dumps(document())), "run `make schemas`"


def test_every_route_is_described_under_a_name_of_its_own() -> None:
    operations = [
        operation for path in document()["paths"].values() for operation in path.values() if isinstance(operation, dict)
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names)) >= sum(map(len, DOORS))
    assert all(operation["summary"].endswith(".") for operation in operations)


@pytest.mark.parametrize("path", ["/v1/gate", "/v1/moderate", "/v1/rewrite"])
async def test_the_answers_keep_to_the_document_that_is_served(engine: Judge, path: str) -> None:
    async with serving(engine) as api:
        served = (await api.client.get("/openapi.json")).json()
        answer = (await api.client.post(path, json={"text": "wireless headphons"})).json()
        refused = (await api.client.post(path, json={"text": 1})).json()
    responses = served["paths"][path]["post"]["responses"]
    for status, body in (("200", answer), ("400", refused)):
        schema = {**responses[status]["content"]["application/json"]["schema"], "components": served["components"]}
        jsonschema_rs.validator_for(schema).validate(body)
