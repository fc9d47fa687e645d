"""The OAuth token of Faust's consumer, from an endpoint that fails at times."""

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError  # type: ignore[import-untyped]

from sluicegate.agents.kafka.security import faust_credentials
from sluicegate.agents.settings import load_settings

SETTINGS = load_settings(
    security_protocol="sasl_plaintext",
    sasl_mechanism="OAUTHBEARER",
    sasl_username="worker",
    sasl_password="correct-horse",
    sasl_token_url="http://127.0.0.1:1/token",
)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(401),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"error": "later"}),
        httpx.Response(200, json=[]),
        httpx.ConnectError("refused"),
    ],
)
async def test_a_failed_token_request_is_a_connection_error_and_is_retried(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | httpx.ConnectError
) -> None:
    answers = iter([answer, httpx.Response(200, json={"access_token": "granted", "expires_in": 60})])

    async def post(_: httpx.AsyncClient, url: str, **__: object) -> httpx.Response:
        found = next(answers)
        if isinstance(found, httpx.ConnectError):
            raise found
        found.request = httpx.Request("POST", url)
        return found

    monkeypatch.setattr(httpx.AsyncClient, "post", post)
    provider = faust_credentials(SETTINGS).oauth_cb  # type: ignore[union-attr]
    with pytest.raises(KafkaConnectionError) as refusal:
        await provider.token()
    assert "horse" not in str(refusal.value)
    assert await provider.token() == await provider.token() == "granted"
