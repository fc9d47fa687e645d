"""What is known about the rows that a system is measured on: labels, categories, and which of them are plain queries.

Plain queries are ordinary ones that have nothing to do with what the gate looks for: most of real traffic. Sources that
pair unsafe texts with harmless twins say nothing about it, although the twins are labelled allow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sluicegate.models.data.rows import ModerationRow
from sluicegate.schemas.errors import ContractError

Rows = NDArray[np.bool_]
"""Which rows are meant: one value for each row."""

FEWEST_PLAIN: Final = 300
SMALL_SOURCES: Final = "small sources"


@dataclass(frozen=True)
class LabelledRows:
    """Label, category and source of each row. `plain` maps the name of each set of plain queries to its rows."""

    labels: NDArray[np.str_]
    categories: NDArray[np.str_]
    sources: NDArray[np.str_]
    plain: Mapping[str, Rows]

    @classmethod
    def of(cls, rows: Sequence[ModerationRow], plain_sources: Sequence[str] = ()) -> "LabelledRows":
        """The labels of `rows`. `plain_sources` are names of sources whose safe rows are plain queries, `*` allowed.

        Without them, every source that has only safe rows counts; if there is none, the safe rows of every source do.
        Sources with fewer than `FEWEST_PLAIN` safe rows are one set together: shares of a few rows mean little.

        Raises:
            ContractError: no source with safe rows has one of the names.
        """
        labels = np.array([row.label for row in rows])
        sources = np.array([row.source for row in rows])
        categories = np.array([row.category for row in rows])
        return cls(labels, categories, sources, _plain_sets(labels, sources, plain_sources))


def _plain_sets(labels: NDArray[np.str_], sources: NDArray[np.str_], patterns: Sequence[str]) -> dict[str, Rows]:
    safe = np.equal(labels, "allow")
    safe_rows = {str(source): safe & np.equal(sources, source) for source in np.unique(sources[safe])}
    if patterns:
        chosen = [source for source in safe_rows if any(fnmatchcase(source, pattern) for pattern in patterns)]
        if not chosen:
            raise ContractError(f"no source with safe rows is named {' or '.join(patterns)}")
    else:
        mixed = {str(source) for source in np.unique(sources[~safe])}
        chosen = [source for source in safe_rows if source not in mixed] or list(safe_rows)
    small = [source for source in chosen if safe_rows[source].sum() < FEWEST_PLAIN]
    sets = {source: safe_rows[source] for source in chosen if source not in small}
    if small:
        name = SMALL_SOURCES if len(small) > 1 else small[0]
        sets[name] = np.any([safe_rows[source] for source in small], axis=0)
    return sets
