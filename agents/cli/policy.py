"""``sluice policy``: check a policy file, try it on queries, put it in use, undo that."""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.schemas.errors import ExitCode

policy = typer.Typer(no_args_is_help=True, help="Policy files: check, try, compare, put in use.")

PolicyPath = Annotated[Path, typer.Argument(help="A policy file, or the folder of a version in a registry.")]
Policy = Annotated[str, typer.Argument(help="A policy file to copy into the registry, or a version in it.")]
RegistryFolder = Annotated[
    Path | None,
    typer.Option("--registry", help="Folder of the registry; `use` creates it. Default: SLUICE_POLICY."),
]
Surface = Annotated[str | None, typer.Option(help="Surface of the queries that do not name one.")]
Model = Annotated[Path | None, typer.Option(help="Folder of a compiled model or a registry. Default: SLUICE_MODEL.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@policy.command("check")
def check_policy(
    file: PolicyPath,
    queries: Annotated[list[str] | None, typer.Argument(help="Queries to decide by it.")] = None,
    surface: Surface = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read queries from standard input, one {"query": …, "surface": …} a line.')
    ] = False,
    as_json: Json = False,
    model: Model = None,
) -> None:
    """Check a policy file and its lists. Decide queries by it: the verdict, and the list or threshold that decided.

    A broken file ends with exit code 78, a query that cannot be decided with 65.

    Example: `sluice policy check policy.toml --surface kids "red shoes"`
    """
    from sluicegate.agents.cli.gate_rows import rows_of_arguments, rows_of_json_lines
    from sluicegate.agents.cli.policy_runs import check, policy_file_at, require_surface
    from sluicegate.agents.cli.policy_tables import print_policy
    from sluicegate.agents.cli.streams import reader_may_leave

    if jsonl and queries:
        raise typer.BadParameter("give queries as arguments or with --jsonl, not both")
    read = policy_file_at(file)
    require_surface(read, surface)
    failed = 0
    with reader_may_leave():
        if jsonl or queries:
            rows = rows_of_json_lines(None) if jsonl else rows_of_arguments(queries or [])
            failed = check(read, rows, surface, model, as_json=as_json)
        else:
            print_policy(read, as_json=as_json)
    if failed:
        raise typer.Exit(ExitCode.DATA)


@policy.command("diff")
def compare_policies(
    before: PolicyPath,
    after: PolicyPath,
    rows: Annotated[Path, typer.Option("--rows", help='JSON lines: {"query": …, "surface": …}, or "text".')],
    surface: Surface = None,
    as_json: Json = False,
    model: Model = None,
) -> None:
    """Decide the queries of a file by two policies: how many verdicts change, in which categories, on which lines.

    Example: `sluice policy diff policy.toml stricter.toml --rows queries.jsonl`
    """
    from sluicegate.agents.cli.policy_runs import compare, policy_file_at
    from sluicegate.agents.cli.policy_tables import print_difference

    print_difference(compare(policy_file_at(before), policy_file_at(after), rows, surface, model), as_json=as_json)


@policy.command("list")
def list_policies(registry: RegistryFolder = None) -> None:
    """List a registry's policies: which is in use or in shadow, since when, and what it holds.

    Example: `sluice policy list --registry /srv/policies`
    """
    from sluicegate.agents.cli.policy_tables import print_registry, registry_at

    print_registry(registry_at(registry))


@policy.command("use")
def use_policy(file: Policy, registry: RegistryFolder = None) -> None:
    """Put a policy in use. Running workers follow within seconds and lose nothing. Ends a trial of it.

    Example: `sluice policy use policy.toml --registry /srv/policies`
    """
    from sluicegate.agents.cli.policy_tables import print_registry, registry_at

    found = registry_at(registry)
    found.use(file)
    print_registry(found)


@policy.command("shadow")
def start_shadow(
    file: Policy,
    registry: RegistryFolder = None,
    share: Annotated[
        float, typer.Option("--share", min=0.0001, max=1.0, help="Share of the events, keyed by event_id.")
    ] = 1.0,
) -> None:
    """Let a policy decide events too, for the ledger only. `sluice eval shadow` says what it would change.

    Example: `sluice policy shadow stricter.toml --registry /srv/policies`
    """
    from sluicegate.agents.cli.policy_tables import print_registry, registry_at

    found = registry_at(registry)
    found.try_out(file, share)
    print_registry(found)


@policy.command("rollback")
def roll_back(registry: RegistryFolder = None) -> None:
    """End the trial. Without a trial, put the policy that was in use before back in use.

    Example: `sluice policy rollback --registry /srv/policies`
    """
    from sluicegate.agents.cli.policy_tables import print_registry, registry_at

    found = registry_at(registry)
    found.roll_back()
    print_registry(found)
