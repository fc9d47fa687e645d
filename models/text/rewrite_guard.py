"""Decide which of the model's words reach recall: its output is never trusted.

A rewrite may correct the user's words, join them, split them, and leave small ones out. It may not add a word, a
number, an operator or a script, because the lexical query feeds BM25, where an invented term finds documents that
nobody asked for. A rewrite that fails a check is replaced by the query as it was, with the reason. Synonyms and facets
may be new words; they go into the semantic query only, bounded and cleaned.

Every function here takes the query as `normalise` left it. None raises.
"""

from collections.abc import Sequence

import msgspec
import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used
from rapidfuzz.distance import OSA

from sluicegate.models.text.meaning import is_other_spelling, turns_meaning
from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.reason_codes import NormaliseCode, RewriteCode


class RewriteCheck(msgspec.Struct, frozen=True):
    """The lexical query, whether it is the model's, and why (no code: the model changed nothing but case)."""

    lexical: str
    accepted: bool
    codes: tuple[RewriteCode, ...]


MAX_WORDS = 64
"""Words that a query and its rewrite may have, unless the rewrite is the query. It bounds the comparison of every word
with every other."""


def check_rewrite(query: str, rewrite: str) -> RewriteCheck:
    """Accept a rewrite that only corrects the query; otherwise keep the query and name the first check that failed.

    Every word of an accepted rewrite is a word of the query, a near one (see `_edits`), two adjacent ones joined, or a
    part of one split in two or three, and each word of the query accounts for one of these only. Numbers, negations and
    operators are the query's, in its order.
    """
    if rewrite.strip().casefold() == query.strip().casefold():
        return RewriteCheck(query, accepted=True, codes=())
    line = _plain_line(rewrite, max_chars=_longest(query))
    refusal = _first_refusal(query, rewrite, line)
    if refusal:
        return RewriteCheck(query, accepted=False, codes=(refusal,))
    return RewriteCheck(line, accepted=True, codes=(RewriteCode.REWRITTEN,))


def check_expansions(query: str, expansions: Sequence[str], *, limit: int = 4, max_chars: int = 48) -> tuple[str, ...]:
    """Keep the first ``limit`` usable synonyms or facets, in order; the others are dropped.

    Usable is one line with a letter or digit, at most ``max_chars`` long, in no script that the query does not use
    (any, when the query has no letters), without markup, control characters or control tokens, and neither the query
    nor one kept before (ignoring case).
    """
    kept: list[str] = []
    seen = {query.casefold()}
    scripts = _scripts(query)
    for expansion in expansions:
        line = _plain_line(expansion, max_chars=max_chars)
        if line.casefold() in seen or not _WORD.search(line) or (scripts and not _scripts(line) <= scripts):
            continue
        seen.add(line.casefold())
        kept.append(line)
        if len(kept) == limit:
            break
    return tuple(kept)


def semantic_query(lexical: str, synonyms: Sequence[str], facets: Sequence[str]) -> str:
    """Write one plain line for an embedding model: ``running shoes (trainers, sneakers; Shoes > Men)``.

    The lexical query comes first, then the synonyms and the facets in the order given; without any it stands alone.
    """
    hints = "; ".join(", ".join(group) for group in (synonyms, facets) if group)
    return f"{lexical} ({hints})" if hints else lexical


def _longest(query: str) -> int:
    return 2 * len(query) + 8


def _plain_line(text: str, *, max_chars: int) -> str:
    """The text with spaces folded and in NFKC; empty when it is longer, has more lines, or needs any other cleaning."""
    clean = normalise(text, max_chars=max_chars)
    harmless = set(clean.codes) <= {NormaliseCode.WHITESPACE_FOLDED, NormaliseCode.UNICODE_NORMALISED}
    return clean.text if harmless and len(text.strip().splitlines()) == 1 else ""


# A trailing + or # belongs to the word: C++ and C# are not C. Apostrophes and hyphens part words, so that "dont" and
# "don't", "wifi" and "wi-fi" are only a split apart.
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}\u200c\u200d]+[+#]*")
_FIXED = regex.compile(r"[^\p{L}\p{M}\u200c\u200d]|\p{Han}")
_NUMBER = regex.compile(r"\p{N}+(?:[.,:/-]\p{N}+)*")
_NEGATION = regex.compile(
    r"(?<!\S)-\S+|[不没沒无無非]|\b(?:no|not|non|without|except|never|nothing|cannot|free|ohne|nicht|kein|keine|sans|pas|sin"
    r"|senza|sem|без|не|нет|بدون|ليس|بلا|बिना|नहीं"
    r"|(?:ai|are|ca|could|did|do|does|had|has|have|is|should|was|were|wo|would)n['’]?t)\b",
    regex.IGNORECASE,
)
# Phrases, required words, filters such as site:example.org, and the operators that search engines read in capitals.
_OPERATOR = regex.compile(r'(?<!\w)"[^"]+"(?!\w)|(?<!\S)\+\S+|\b\p{L}+:\S+|\b(?:AND|OR|NOT)\b')
_STOP_WORDS = (
    "a an and are at be by can do does for from how i in is it me my of on or please some that the this to what where "
    "which who with you your"
)
_SMALL = frozenset(_STOP_WORDS.split())
_NEUTRAL_SIGNS = frozenset(" '’-.&")
_SCRIPTS = (
    "Latin Cyrillic Greek Armenian Georgian Hebrew Arabic Syriac Ethiopic Devanagari Bengali Gurmukhi Gujarati Oriya "
    "Tamil Telugu Kannada Malayalam Sinhala Thai Lao Myanmar Khmer Tibetan Mongolian Hangul Hiragana Katakana Han"
)
_SCRIPT = regex.compile(
    "(?V1)" + "|".join(rf"(?P<{name}>\p{{{name}}}+)" for name in _SCRIPTS.split()) + r"|(?P<Other>[\p{L}--\p{Common}])"
)


def _first_refusal(query: str, rewrite: str, line: str) -> RewriteCode | None:
    """The first check that the rewrite fails, in the order of `RewriteCode`; ``line`` is its plain line."""
    asked, words = _words(query), _words(line)
    if not rewrite.strip():
        return RewriteCode.EMPTY
    if len(rewrite) > _longest(query) or max(len(asked), len(words)) > MAX_WORDS:
        return RewriteCode.TOO_LONG
    if not line:
        return RewriteCode.CONTROL
    if not _scripts(line) <= _scripts(query):
        return RewriteCode.SCRIPT
    if _negations(line) != _negations(query):
        return RewriteCode.NEGATION
    if _operators(line) != _operators(query):
        return RewriteCode.OPERATOR
    if _NUMBER.findall(line) != _NUMBER.findall(query):
        return RewriteCode.NUMBER
    if not _signs(line) <= _signs(query) | _NEUTRAL_SIGNS:
        return RewriteCode.INVENTED
    kept = _accounted(asked, words)
    if kept is None:
        return RewriteCode.INVENTED
    content = {place for place, word in enumerate(asked) if word not in _SMALL} or set(range(len(asked)))
    if not content <= kept:
        return RewriteCode.DROPPED
    return None


def _accounted(asked: list[str], words: list[str]) -> set[int] | None:
    """The places in ``asked`` that ``words`` stand for; None when a word stands for none of them.

    Words found as they are go first; each other one then takes the nearest of what is left.
    """
    free = dict(enumerate(asked))
    rest: dict[int, str] = {}
    for place, word in enumerate(words):
        same = next((source for source, candidate in free.items() if candidate == word), None)
        if same is None:
            rest[place] = word
        else:
            del free[same]
    while rest:
        start = min(rest)
        nearest = min(_explanations(free, rest, start), default=None)
        if nearest is None:
            return None
        _, sources, length = nearest
        for source in sources:
            del free[source]
        for place in range(start, start + length):
            del rest[place]
    return set(range(len(asked))) - set(free)


def _explanations(free: dict[int, str], rest: dict[int, str], start: int) -> list[tuple[int, tuple[int, ...], int]]:
    """Each way to explain the word at ``start``: edits needed, places used up, words explained at once."""
    found: list[tuple[int, tuple[int, ...], int]] = []
    target = ""
    for length in (1, 2, 3):
        target += rest.get(start + length - 1, "")
        if start + length - 1 not in rest:
            break
        for source, word in free.items():
            edits = _edits(word, target)
            if edits is not None:
                found.append((edits, (source,), length))
            if length == 1 and source + 1 in free:
                edits = _edits(word + free[source + 1], target)
                if edits is not None:
                    found.append((edits, (source, source + 1), length))
    return found


def _edits(source: str, target: str) -> int | None:
    """Optimal string alignment distance, or None where it is more than a misspelling.

    One edit in up to 4 letters, two in up to 8, three beyond. None in a single letter, where a digit or sign is
    involved, or in Han, where one character is a word and red would become green. None too where a negating prefix or
    suffix comes or goes, or a British spelling becomes an American one.
    """
    if source == target:
        return 0
    if turns_meaning(source, target) or is_other_spelling(source, target):
        return None
    if len(source) == 1 or _FIXED.search(source) or _FIXED.search(target):
        return None
    slack = 1 if len(source) <= 4 else 2 if len(source) <= 8 else 3
    edits = OSA.distance(source, target, score_cutoff=slack)
    return edits if edits <= slack else None


def _words(text: str) -> list[str]:
    found: list[str] = _WORD.findall(text.casefold())
    return found


def _scripts(text: str) -> set[str]:
    found: set[str] = {run.lastgroup for run in _SCRIPT.finditer(text)}
    return found


def _negations(text: str) -> list[str]:
    """Excluded and negating words; "dont" and "don't" are the same."""
    return [found.casefold().replace("'", "").replace("’", "") for found in _NEGATION.findall(text)]


def _operators(text: str) -> list[str]:
    return [found.casefold() for found in _OPERATOR.findall(text)]


def _signs(text: str) -> set[str]:
    return set(_WORD.sub("", text.casefold()))
