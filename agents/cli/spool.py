"""``sluice spool``: what waits on disk for a broker."""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers
from sluicegate.schemas.errors import ConfigurationError, ContractError

spool = typer.Typer(no_args_is_help=True, help="Records on disk that wait for a broker. See docs/edge.md.")

SpoolPath = Annotated[Path | None, typer.Argument(metavar="[SPOOL]", help="File of the spool. Default: SLUICE_SPOOL.")]


@spool.command("list")
def spool_list(
    path: SpoolPath = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count what waits, by topic, with its size and the age of the oldest record.

    Example: `sluice spool list device.spool --json`
    """
    from sluicegate.agents.cli.spool_runs import print_statistics
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.spool.reading import read_statistics

    statistics = read_statistics(_chosen(path))
    with reader_may_leave():
        print_statistics(statistics, as_json=as_json)


@spool.command("verify")
def spool_verify(path: SpoolPath = None) -> None:
    """Check the file, and the checksum of every record. Ends with exit code 65 if something is wrong.

    Example: `sluice spool verify device.spool`
    """
    from sluicegate.agents.spool.reading import find_problems, read_statistics

    chosen = _chosen(path)
    problems = list(find_problems(chosen))
    for problem in problems:
        typer.echo(f"{chosen}: {problem}")
    if problems:
        raise ContractError(f"{chosen} is damaged: its next owner puts it aside; `sluice spool export` reads the rest")
    typer.echo(f"{chosen}: {read_statistics(chosen).records} records, nothing is wrong")


@spool.command("export")
def spool_export(path: SpoolPath = None) -> None:
    """Write every record as a line of JSON to standard output, the oldest first. Nothing is deleted.

    Bytes that are not UTF-8 are in `key_base64` and `value_base64`.

    Example: `sluice spool export device.spool > records.jsonl`
    """
    from sluicegate.agents.cli.spool_runs import write_records
    from sluicegate.agents.cli.streams import reader_may_leave

    with reader_may_leave():
        damaged = write_records(_chosen(path))
    if damaged:
        raise ContractError(f"{damaged} records are damaged and were left out")


@spool.command("sync")
def spool_sync(path: SpoolPath = None, brokers: Brokers = None) -> None:
    """Publish every record, and delete it once the broker has it. The process that adds records may be running.

    Stop it at any time and run it again. A record that was published twice, which can happen after kill -9 or without
    power, has the same id in the header `event_id` each time.

    Example: `sluice spool sync device.spool --brokers broker:9092`
    """
    from sluicegate.agents.cli.spool_runs import sync
    from sluicegate.agents.settings import load_settings

    sync(load_settings(spool=path, bootstrap_servers=brokers))


def _chosen(path: Path | None) -> Path:
    from sluicegate.agents.settings import load_settings

    chosen = path or load_settings().spool
    if chosen is None:
        raise ConfigurationError("name the spool's file, or set SLUICE_SPOOL")
    return chosen
