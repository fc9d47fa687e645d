"""Reviews over HTTP: a key for each reviewer, one decision for each review, and `sluice review` from elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import pytest

from sluicegate.agents.http.keys import add_key
from sluicegate.agents.review_queue import ReviewQueue
from tests.support.command import sluice
from tests.support.http_api import serving
from tests.support.reviews import make_new


@dataclass(frozen=True)
class Desk:
    """A review worker's port, its queue of three reviews, and the headers of two reviewers."""

    client: httpx.AsyncClient
    url: str
    queue: ReviewQueue
    keys: dict[str, str]

    async def post(self, path: str, reviewer: str = "anna", /, **body: object) -> httpx.Response:
        return await self.client.post(path, json=body, headers={"x-api-key": self.keys[reviewer]})


@asynccontextmanager
async def desk_in(folder: Path) -> AsyncIterator[Desk]:
    names = folder / "keys"
    keys = {name: add_key(names, name) for name in ("anna", "ben")}
    with ReviewQueue(folder / "queue", lease_s=60, max_events=9, retention_s=60, make=True) as queue:
        queue.add([make_new(1), make_new(2), make_new(3, category=None)])
        async with serving(http_keys=names) as api:
            api.service.reviews = queue
            yield Desk(api.client, f"http://127.0.0.1:{api.port}", queue, keys)


async def test_the_name_of_the_key_is_the_reviewer_and_a_review_is_decided_once(tmp_path: Path) -> None:
    async with desk_in(tmp_path) as desk:
        first = (await desk.post("/v1/reviews/next")).json()["review"]
        second = (await desk.post("/v1/reviews/next", "ben")).json()["review"]
        assert (first["holder"], first["review"]["event_id"]) == ("anna", "order-1")
        assert (second["holder"], second["review"]["event_id"]) == ("ben", "order-2")

        path = f"/v1/reviews/{first['id']}"
        refused = await desk.post(f"{path}/decision", "ben", allow=True, rationale="-")
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "conflict"
        assert refused.json()["error"]["message"].startswith(f"anna has a lease for {first['id']}")
        decided = await desk.post(f"{path}/decision", allow=False, rationale="an insult")
        assert decided.json() == {"allow": False, "rationale": "an insult", "category": "harassment"}
        assert (await desk.post(f"{path}/lease", "ben")).status_code == 409

        assert (await desk.post(f"/v1/reviews/{second['id']}/release", "ben")).status_code == 200
        assert (await desk.post(f"/v1/reviews/{second['id']}/lease")).json()["review"]["holder"] == "anna"
        assert [each.reviewer for each in desk.queue.decided(9)] == ["anna"]


async def test_the_list_has_what_waits_and_how_much_of_it_there_is(tmp_path: Path) -> None:
    async with desk_in(tmp_path) as desk:
        found = (await desk.client.get("/v1/reviews", headers={"x-api-key": desk.keys["ben"]})).json()
        assert found["statistics"]["waiting"] == 3
        assert [each["review"]["event_id"] for each in found["reviews"]] == ["order-1", "order-2", "order-3"]
        skipped = await desk.post("/v1/reviews/next", after=found["reviews"][1]["place"])
        assert skipped.json()["review"]["review"]["event_id"] == "order-3"
        nothing = await desk.post("/v1/reviews/next", after=found["reviews"][2]["place"])
        assert nothing.json() == {"review": None}


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/v1/reviews/0000000000000000/lease", {}, 404, "no review has this id"),
        ("/v1/reviews/ORDER-3/decision", {"allow": False, "rationale": "-"}, 400, "name the category"),
        ("/v1/reviews/ORDER-3/decision", {"allow": False, "rationale": "-", "category": "rude"}, 400, "Invalid enum"),
        ("/v1/reviews/ORDER-3/decision", {"allow": True, "rationale": ""}, 400, "length >= 1"),
        ("/v1/reviews/ORDER-3/decision", {"allow": True}, 400, "rationale"),
        ("/v1/reviews/next", {"after": -1}, 400, ">= 0"),
    ],
)
async def test_a_wrong_request_says_what_is_wrong(
    tmp_path: Path, path: str, body: dict[str, object], status: int, message: str
) -> None:
    async with desk_in(tmp_path) as desk:
        third = make_new(3, category=None).id
        desk.queue.lease(third, "anna")
        refused = await desk.post(path.replace("ORDER-3", third), **body)
        assert refused.status_code == status
        assert message in refused.json()["error"]["message"]
        assert desk.queue.decided(9) == []


async def test_reviews_need_a_key_and_a_review_worker(tmp_path: Path) -> None:
    async with desk_in(tmp_path) as desk:
        assert (await desk.client.get("/v1/reviews")).status_code == 401
        assert (await desk.client.get("/v1/reviews", headers={"x-api-key": "sluice-wrong"})).status_code == 401
    with ReviewQueue(tmp_path / "queue", lease_s=60, max_events=9, retention_s=60) as queue:
        async with serving() as api:
            missing = await api.client.get("/v1/reviews")
            assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
            api.service.reviews = queue
            keyless = await api.client.post("/v1/reviews/next", json={})
            assert keyless.status_code == 401
            assert "SLUICE_HTTP_KEYS" in keyless.json()["error"]["message"]


async def test_the_command_reviews_over_http_under_the_name_of_its_key(tmp_path: Path) -> None:
    async with desk_in(tmp_path) as desk:
        environment = {"SLUICE_REVIEW_URL": desk.url, "SLUICE_REVIEW_KEY": desk.keys["anna"]}

        async def review(*arguments: str) -> tuple[int, str, str]:
            done = await asyncio.to_thread(sluice, "review", *arguments, environment=environment)
            return done.returncode, done.stdout.decode(), done.stderr.decode()

        code, taken, _ = await review("next", "--json")
        review_id = orjson.loads(taken)["id"]
        assert (code, orjson.loads(taken)["holder"]) == (0, "anna")
        assert (await review("deny", review_id, "--reason", "an insult"))[1] == f"{review_id} is denied: harassment\n"
        assert [(each.reviewer, each.id) for each in desk.queue.decided(9)] == [("anna", review_id)]


async def test_the_command_says_what_the_worker_refuses(tmp_path: Path) -> None:
    async with desk_in(tmp_path) as desk:
        environment = {"SLUICE_REVIEW_URL": desk.url, "SLUICE_REVIEW_KEY": "sluice-wrong"}
        done = await asyncio.to_thread(sluice, "review", "list", environment=environment)
        assert done.returncode == 65
        assert done.stderr == b"sluice: this API key is not accepted: `sluice keys add NAME` makes one\n"
