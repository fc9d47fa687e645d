"""``sluice review``: people decide what the gate was not sure of."""

from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers
from sluicegate.agents.cli.replay import Since

review = typer.Typer(help="Decide the queries that wait for people. Alone, on a terminal: one after another.")

As = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Your name in events. Default: the user that is logged in.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ReviewId = Annotated[str, typer.Argument(metavar="ID", help="Id of the review, see `sluice review list`.")]
Reason = Annotated[str, typer.Option(help="Why. It is published with the decision.")]


@review.callback(invoke_without_command=True)
def review_one_after_another(context: typer.Context, name: As = None) -> None:
    """Decide the queries that wait for people: alone, on a terminal, one after another.

    SLUICE_REVIEW_QUEUE names the file on the review worker's machine. On another machine SLUICE_REVIEW_URL is the
    worker's address, and SLUICE_REVIEW_KEY an API key, whose name is the reviewer. See docs/review.md.

    Example: `sluice review`
    """
    if context.invoked_subcommand is not None:
        if name is not None:
            raise typer.BadParameter("write --as behind the command")
        return
    import sys

    from sluicegate.agents.cli.review_access import open_reviews
    from sluicegate.agents.cli.review_session import review_all
    from sluicegate.agents.settings import load_settings

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise typer.BadParameter("without a terminal use list, next, show, allow, deny, release or appeal")
    with open_reviews(load_settings(), name) as reviews:
        review_all(reviews)


@review.command("list")
def review_list(
    limit: Annotated[int, typer.Option(min=1, max=100, help="Maximum number of reviews to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what waits, the oldest first, without the queries. `--json` prints a line per review, with all of it.

    Example: `sluice review list --limit 50`
    """
    from sluicegate.agents.cli.review_access import open_reviews
    from sluicegate.agents.cli.review_runs import print_line
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.settings import load_settings

    with open_reviews(load_settings(), None) as reviews:
        found = reviews.list()
    with reader_may_leave():
        if as_json:
            for queued in found.reviews[:limit]:
                print_line(queued)
        else:
            from sluicegate.agents.cli.review_report import print_list

            print_list(found.reviews[:limit], found.statistics)


@review.command("next")
def review_next(name: As = None, as_json: AsJson = False) -> None:
    """Take a lease on the oldest review that nobody works on, and show it. With `--json`, nothing means nothing waits.

    A review that you have a lease for comes first: allow, deny or release it to get the next one.

    Example: `sluice review next`
    """
    from sluicegate.agents.cli.review_runs import show_next

    show_next(name, as_json=as_json)


@review.command("show")
def review_show(review_id: ReviewId, name: As = None, as_json: AsJson = False) -> None:
    """Take a lease on one review, or renew it, and show what the gate saw and why it asks.

    Example: `sluice review show 4be0d6a1f7c02f35`
    """
    from sluicegate.agents.cli.review_runs import show

    show(review_id, name, as_json=as_json)


@review.command("allow")
def review_allow(review_id: ReviewId, reason: Reason, name: As = None, as_json: AsJson = False) -> None:
    """Allow a query that you have a lease for.

    Example: `sluice review allow 4be0d6a1f7c02f35 --reason "the title of a film"`
    """
    from sluicegate.agents.cli.review_runs import decide

    decide(review_id, name, allow=True, category=None, reason=reason, as_json=as_json)


@review.command("deny")
def review_deny(
    review_id: ReviewId,
    reason: Reason,
    category: Annotated[
        str | None, typer.Option(help="Why it is unsafe, as in `harassment`. Default: the gate's category.")
    ] = None,
    name: As = None,
    as_json: AsJson = False,
) -> None:
    """Deny a query that you have a lease for: it is blocked.

    Example: `sluice review deny 4be0d6a1f7c02f35 --category harassment --reason "insults a person"`
    """
    from sluicegate.agents.cli.review_runs import decide

    decide(review_id, name, allow=False, category=category, reason=reason, as_json=as_json)


@review.command("release")
def review_release(review_id: ReviewId, name: As = None) -> None:
    """Give a lease back, so that others can take the review at once.

    Example: `sluice review release 4be0d6a1f7c02f35`
    """
    from sluicegate.agents.cli.review_access import open_reviews
    from sluicegate.agents.settings import load_settings

    with open_reviews(load_settings(), name) as reviews:
        reviews.release(review_id)


@review.command("appeal")
def review_appeal(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="Id of the blocked event.")],
    reason: Annotated[str, typer.Option(help="Why the query should be allowed. Reviewers see it.")],
    since: Since = None,
    name: As = None,
    as_json: AsJson = False,
    brokers: Brokers = None,
) -> None:
    """Put a blocked query before people. It is published for the review worker, and people decide it again.

    The blocked topic is searched for the event, from `--since` on. Its text comes from the raw record, as long as Kafka
    has it. An event can be appealed for once: a second appeal changes nothing.

    Example: `sluice review appeal order-4712 --reason "the title of a film"`
    """
    from sluicegate.agents.cli.review_runs import make_appeal

    make_appeal(event_id, reason, since, name, as_json=as_json, brokers=brokers)
