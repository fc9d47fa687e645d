"""A request in its trace, and in the metrics."""

from sluicegate.agents.local.otlp_receiver import OtlpReceiver
from sluicegate.agents.telemetry import PrometheusPage, Telemetry
from sluicegate.models.inference.judge import Judge
from tests.support.http_api import serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


async def test_a_request_continues_the_trace_of_its_client_and_names_its_own_span(engine: Judge) -> None:
    with OtlpReceiver() as receiver:
        telemetry = Telemetry.start(
            otlp_endpoint=receiver.endpoint, sample_ratio=1, service_version="1", instance_id="test"
        )
        async with serving(engine, telemetry) as api:
            answer = await api.client.post(
                "/v1/gate", json={"text": "red shoes"}, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}
            )
        telemetry.shutdown(30)
        spans = {span.name: span for span in receiver.spans(TRACE)}
        batches = [span for span in receiver.spans() if span.name == "sluicegate.batch"]
    request = spans["POST /v1/gate"]
    assert (request.kind, request.parent_id) == ("server", PARENT)
    assert request.attributes["http.route"] == "/v1/gate"
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["sluicegate.event_id"] == answer.json()["event_id"]
    assert request.attributes["sluicegate.verdict"] == "allow"
    assert {spans[stage].parent_id for stage in ("normalise", "queue", "model")} == {request.span_id}
    assert answer.headers["traceparent"] == f"00-{TRACE}-{request.span_id}-01"
    assert (TRACE, request.span_id) in batches[0].links
    stages = [entry.partition(";")[0] for entry in answer.headers["server-timing"].split(", ")]
    assert stages == ["normalise", "queue", "model", "total"]


async def test_requests_and_decisions_are_counted_for_prometheus(engine: Judge) -> None:
    page = PrometheusPage()
    telemetry = Telemetry.start(
        otlp_endpoint=None, sample_ratio=1, service_version="1", instance_id="test", prometheus=page
    )
    async with serving(engine, telemetry) as api:
        await api.client.post("/v1/gate/batch", json={"texts": ["red shoes", "blue shoes"]})
        refused = await api.client.post("/v1/gate", json={})
    shown = page.render()[1].decode()
    assert 'sluicegate_verdicts_total{sluicegate_category="none",sluicegate_verdict="allow"} 2.0' in shown
    assert 'error_type="invalid_field",http_request_method="POST",http_response_status_code="400"' in shown
    assert refused.headers["traceparent"].endswith("-00")


def test_two_applications_of_one_process_count_for_themselves() -> None:
    first, second = PrometheusPage(), PrometheusPage()
    for page, verdict in ((first, "allow"), (second, "block")):
        telemetry = Telemetry.start(
            otlp_endpoint=None, sample_ratio=1, service_version="1", instance_id="test", prometheus=page
        )
        telemetry.requests.record_decision(verdict=verdict, category=None, answered_by="model", degraded=None)
    assert [page.render()[1].count(b'sluicegate_verdict="allow"') for page in (first, second)] == [1, 0]
