"""What a rewriter does to correct queries: names, other languages, meaning, spelling of a country, numbers."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Final

from sluicegate.models.data.rows import QueryRow
from sluicegate.models.evaluation.intervals import Share, share_of
from sluicegate.models.text.meaning import is_other_spelling, turns_meaning
from sluicegate.models.text.normalise import normalise

_NUMBER: Final = re.compile(r"\d+")
_ENGLISH: Final = "en"


def harmless_queries(rows: Iterable[QueryRow]) -> list[tuple[str, str]]:
    """Each correct query, normalised and in lower case, with the name of its group: its `lang` unless English, else
    its `kind`."""
    queries: dict[str, str] = {}
    for row in rows:
        group = "other languages" if row.lang not in (None, _ENGLISH) else row.kind or "queries"
        text = normalise(row.clean or row.written).text.lower()
        if text and (row.clean is None or group == "queries"):
            queries.setdefault(text, group)
    return list(queries.items())


def score_harm(asked: Sequence[str], answers: Sequence[str], groups: Sequence[str]) -> dict[str, Share]:
    """Shares of `asked`, correct queries in `groups`, that their `answers` changed; by group, and by what was done."""
    changed: dict[str, int] = defaultdict(int)
    sizes: dict[str, int] = defaultdict(int)
    done = dict.fromkeys(("meaning turned", "British or American spelling changed", "number changed"), 0)
    for query, answer, group in zip(asked, answers, groups, strict=True):
        sizes[group] += 1
        if answer == query:
            continue
        changed[group] += 1
        replaced = _replaced(query, answer)
        done["meaning turned"] += any(turns_meaning(word, other) for word, other in replaced)
        done["British or American spelling changed"] += any(is_other_spelling(word, other) for word, other in replaced)
        done["number changed"] += _NUMBER.findall(query) != _NUMBER.findall(answer)
    return {
        **{f"changed: {group}": share_of(changed[group], sizes[group]) for group in sorted(sizes)},
        **{name: share_of(count, len(asked)) for name, count in done.items()},
    }


def _replaced(query: str, answer: str) -> list[tuple[str, str]]:
    """The words of `query` that became another word, one for one."""
    words, others = query.split(), answer.split()
    blocks = SequenceMatcher(None, words, others, autojunk=False).get_opcodes()
    return [
        pair
        for tag, start, end, other_start, other_end in blocks
        if tag == "replace" and end - start == other_end - other_start
        for pair in zip(words[start:end], others[other_start:other_end], strict=True)
    ]
