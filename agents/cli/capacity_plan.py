"""What ``sluice capacity`` prints."""

import sys
from dataclasses import asdict
from typing import NamedTuple

import orjson
from rich.table import Table

from sluicegate.agents.cli.table_console import table_console
from sluicegate.models.capacity_plan import HOURS_A_MONTH, Plan, TooSlow, Worker, plan
from sluicegate.schemas.errors import ConfigurationError


class Price(NamedTuple):
    """Of one core for one hour."""

    amount: float
    currency: str


def print_plan(
    worker: Worker, *, rate: float, p99_ms: float, spare: int, price: Price, model_gb: float, as_json: bool
) -> None:
    """Print what `rate` events a second need. Raises ConfigurationError if nothing is fast enough."""
    try:
        found = plan(worker, rate=rate, p99_ms=p99_ms, spare=spare, price=price.amount, model_gb=model_gb)
    except TooSlow as reason:
        raise ConfigurationError(str(reason)) from None
    if as_json:
        document = {**asdict(found), "currency": price.currency, "overhead_ms": worker.overhead_ms}
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        return
    console = table_console()
    console.print(_table(found, rate, p99_ms, spare, price))
    if found.limited_by == "latency":
        console.print(f"A worker could decide {found.most_each:.0f} a second, but not with a p99 of {p99_ms:g} ms.")
    console.print(
        f"The p99 counts {worker.overhead_ms:g} ms for Kafka and the pipeline. Slower brokers, the network and "
        "other programs on the same cores are not in it: measure them, and give --overhead-ms."
    )


def _table(found: Plan, rate: float, p99_ms: float, spare: int, price: Price) -> Table:
    table = Table("", "", title=f"{rate:g} events a second, p99 within {p99_ms:g} ms", show_header=False)
    rows = [
        ("workers", f"{found.workers}, of which {spare} may be missing"),
        ("partitions of the input topic", f"at least {found.workers}; {found.partitions} to double the workers later"),
        ("cores, all workers", str(found.cores)),
        ("memory, all workers", f"{found.memory_gb:.1f} GB"),
        (
            f"a month, at {price.amount:g} {price.currency} per core-hour and {HOURS_A_MONTH} hours",
            f"{found.cost_month:.0f} {price.currency}",
        ),
        ("a worker decides at most", f"{found.most_each:.0f} events a second"),
        ("it is planned for at most", f"{found.planned_each:.0f} events a second ({found.limited_by})"),
        ("p99, with all workers", f"{found.p99_ms:.0f} ms"),
    ]
    if found.second_p99_ms is not None:
        rows.append(("p99 of what the second model decides", f"{found.second_p99_ms:.0f} ms"))
    for name, value in rows:
        table.add_row(name, value)
    return table
