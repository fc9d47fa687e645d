"""What ``sluice calibrate`` does: measure a model, write the settings that suit it, and print what planning needs."""

import os
from pathlib import Path

import ctranslate2
import msgspec
import orjson
from rich.table import Table

from sluicegate.agents.cli.progress import show_progress
from sluicegate.agents.cli.streams import require_writable
from sluicegate.agents.cli.table_console import table_console
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import Settings
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.capacity import CapacityReport, measure
from sluicegate.models.inference.engine import Engine
from sluicegate.schemas.errors import StreamFailed


def calibrate_model(settings: Settings, out: Path, price: float) -> None:
    """Measure the model of `settings` and write the profile to `out`; `price` is that of a core for an hour.

    Raises:
        ConfigurationError: the model cannot be served.
        StreamFailed: `out` cannot be written.
    """
    require_writable(out)
    manifest = read_manifest(served_from(settings.model).model)

    def start(compute_type: str, threads: int, replicas: int) -> Engine:
        return load_engine(
            settings.model_copy(update={"compute_type": compute_type, "threads": threads, "replicas": replicas})
        )

    kinds = sorted(ctranslate2.get_supported_compute_types(settings.device))
    usable = len(os.sched_getaffinity(0))
    with show_progress(f"measuring {manifest.model_version}") as progress:
        report = measure(start, kinds, usable, progress)
    profile = {
        "compute_type": report.compute_type,
        "threads": report.threads,
        "replicas": report.replicas,
        "batch_size": report.batch_size,
        "batch_cost": report.cost,
        "rate": round(report.rate, 2),
        "tokens": report.tokens,
    }
    try:
        out.write_bytes(orjson.dumps(profile, option=orjson.OPT_INDENT_2, default=msgspec.structs.asdict))
    except OSError as error:
        raise StreamFailed(f"cannot write {out}: {error.strerror or error}") from None
    console = table_console()
    console.print(_table(manifest.model_version, report, price))
    console.print(f"written to {out}: start the worker with SLUICE_PROFILE={out}", highlight=False)


def _table(version: str, report: CapacityReport, price: float) -> Table:
    table = Table("", "", title=f"{version} on this machine", show_header=False)
    median, tail = report.half_load_ms
    for name, value in (
        ("compute type", report.compute_type),
        ("replicas × threads", f"{report.replicas} × {report.threads}"),
        ("batch size", str(report.batch_size)),
        ("events a second", f"{report.rate:.0f}"),
        ("events a second per core", f"{report.rate_per_core:.0f}"),
        ("one query alone", f"{report.alone_ms:.1f} ms"),
        ("at half load, p50 / p99", f"{median:.1f} / {tail:.1f} ms"),
        (f"a million queries at {price:g} per core-hour", f"{report.price_per_million(price):.2f}"),
    ):
        table.add_row(name, value)
    return table
