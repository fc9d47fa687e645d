"""Every metric that a process can report, each with a value."""

from typing import Final

from sluicegate.agents.spool.metrics import observe_spool
from sluicegate.agents.spool.store import Spool
from sluicegate.agents.telemetry import Outcome, PrometheusPage, Telemetry
from sluicegate.agents.telemetry.levels import PartitionLag, WorkerLevels
from sluicegate.agents.telemetry.second_model import SecondAsked

SECOND_OVERLOADED: Final = SecondAsked(
    model="m2",
    asked_for="review",
    result="overloaded",
    screened="review",
    verdict=None,
    started_ns=0,
    ended_ns=1,
    input_tokens=0,
    output_tokens=0,
)


def page_with_every_metric(spool: Spool) -> PrometheusPage:
    """The page of a process in which everything has happened once, and whose ledger is `spool`."""
    page = PrometheusPage()
    telemetry = Telemetry.start(
        otlp_endpoint=None, sample_ratio=1, service_version="1", instance_id="test", prometheus=page
    )
    telemetry.observe(queue_depth=lambda: 1, events_in_flight=lambda: 1)
    telemetry.set_levels(WorkerLevels(ready=True, commit_late_s=0, lags=(PartitionLag("queries.raw", 0, 1),)))
    with telemetry.process_span(
        telemetry.extract([]), topic="queries.raw", partition=0, offset=1, group="gate", body_size=1
    ) as event:
        telemetry.record_batch([event], 0, 1, model="m1", input_tokens=1, output_tokens=1)
        telemetry.record_stage(event, "queue", 0, 1)
        telemetry.record(
            event,
            Outcome(event_id="1", duration_s=0.1, verdict="review", answered_by="policy", degraded="Overloaded"),
        )
        telemetry.record(event, Outcome(event_id="2", duration_s=0.1, error_type="ContractError"))
        telemetry.record_duplicate(event, "1")
        telemetry.second.record(event, SECOND_OVERLOADED)
        with telemetry.reviews.question(event, kind="api", name="api:m"):
            pass
    telemetry.second.observe(waiting=lambda: 1, circuit=lambda: 2)
    observe_spool(spool, telemetry.meter)
    requests, reviews = telemetry.requests, telemetry.reviews
    with requests.span(telemetry.extract([]), method="POST", route="/v1/gate") as request:
        requests.record(request, method="POST", status=503, duration_s=0.1, error="overloaded")
    requests.record_chat("upstream")
    requests.record_upstream("none", 0.1)
    requests.record_upstream_json("valid")
    reviews.decided("policy", allow=False)
    reviews.fell_back("gate")
    reviews.checked("hate", "answered", upheld=True)
    reviews.observe_held(lambda: 1)
    reviews.observe_waiting(lambda: 1)
    reviews.attempted("review", "busy")
    reviews.paid("review", 1, 1, 1.0)
    reviews.observe_upstream("review", circuit=lambda: 2, budget_left=lambda: 0.5, cost_per_1000=lambda: 1.0)
    return page
