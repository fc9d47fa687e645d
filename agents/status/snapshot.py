"""What the status page shows at one moment, as plain data: the template and the script draw the same.

Every text is ready to be shown. What came from outside went through `visible_text`.
"""

from msgspec import Struct


class Notice(Struct, frozen=True):
    """What is wrong and what to do about it. `serious`: events are not decided as they should be."""

    what: str
    remedy: str
    serious: bool = False


class Figure(Struct, frozen=True):
    """A number with its name. `note` says over which time, or of what."""

    label: str
    value: str
    note: str = ""
    chart: str = ""
    """The points of a line through its last minutes, as SVG has them, within 100 by 24; empty: none."""
    chart_says: str = ""
    """What the chart shows, in words."""


class Table(Struct, frozen=True):
    """The first cell of a row names it. `note` stands under the table, or in its place while it has no rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Section(Struct, frozen=True):
    """A part of the page with a heading. `name` is unique and never changes."""

    name: str
    title: str
    table: Table
    wide: bool = False
    """Whether it is a table of texts, which takes the whole width."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything but the settings, which do not change."""

    state: str
    """In a few words, as in `Ready`."""
    level: str
    """`good`, `warning` or `serious`."""
    at: str
    facts: tuple[str, ...]
    """What runs here, in a few words each."""
    notices: tuple[Notice, ...]
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
