"""Turn the text of a producer into one short, plain line, with a reason code for every change.

A model, an index and a terminal read this text afterwards, so nothing in it may act on them: no live markup, no
invisible or reordering characters, no token that has a meaning in a chat template. What people type on purpose stays:
case, punctuation, operators, ``C++``, ``vector<int>``, look-alike letters, emoji, and the joiners of Persian and Hindi.

    encoding ─► whitespace ─► markup ─► percent ─► marks, NFKC ─► invisible, combining ─► control tokens ─► length
       ▲                                                                                                   │
       └───────────────────────────── again, until a round changes nothing ────────────────────────────────┘

Rounds are needed because each step can uncover work for another: ``&lt;b&gt;`` hides a tag, a full-width ``＜`` hides a
token, a zero-width space hides both.

The text is hostile, and this runs on the event loop, so every step takes time in proportion to the length of the text
and the length is capped before the first. Unicode's own algorithms are quadratic in a run of combining marks: such runs
are capped before NFKC, as UAX #15 does for its stream-safe text.
"""

import html
import re
import unicodedata
from collections.abc import Callable
from html.entities import html5

import msgspec
import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

from sluicegate.models.text.encodings import decode_percent, has_percent_escape
from sluicegate.models.text.invisible import drop_bidi, drop_controls, drop_hidden, drop_zero_width
from sluicegate.models.text.mojibake import repair_encoding
from sluicegate.models.text.plain_numbers import separate_digits
from sluicegate.schemas.reason_codes import NormaliseCode


class Normalised(msgspec.Struct, frozen=True):
    """The clean text and the reasons it differs from the input; each code at most once, in enum order."""

    text: str
    codes: tuple[NormaliseCode, ...]


ROUNDS = 8
"""Rounds after which a text that keeps changing counts as hostile; natural ones need two or three."""

WORK_FACTOR = 16
"""A text longer than this many times ``max_chars`` is cut, before the first step and after one that lengthened it."""

# Printable ASCII, single spaces, and none of the characters that markup, entities or control tokens start with.
_PLAIN = re.compile(r"[!-%'-;=?-Z\\-{}~]++(?: [!-%'-;=?-Z\\-{}~]++)*+")


def normalise(text: str, *, max_chars: int = 512) -> Normalised:
    """Clean one query. It never raises, not even for lone surrogates or megabytes.

    The result is a fixed point: normalising it again changes nothing. It is one line of at most ``max_chars`` (at least
    1) code points, in NFKC but for Thai and Lao AM, with no code point of the categories Cc, Cf, Co, Cs and Cn except a
    joiner between letters or emoji that need it, no HTML element, no ``<|`` or ``|>``, and no known control tag. The
    work is bounded by ``WORK_FACTOR * max_chars``, not by the input.
    """
    if len(text) <= max_chars and _PLAIN.fullmatch(text) and not has_percent_escape(text):
        return Normalised(text, ())
    found: set[NormaliseCode] = set()
    longest = WORK_FACTOR * max_chars
    if len(text) > longest:
        text = text[:longest]
        found.add(NormaliseCode.TRUNCATED_CHARS)
    for _ in range(ROUNDS):
        before = text
        for code, step in _STEPS:
            changed = step(text)
            if changed != text:
                found.add(code)
                text = changed
            if len(text) > longest:  # NFKC writes eighteen characters for some
                text = text[:longest]
                found.add(NormaliseCode.TRUNCATED_CHARS)
        if len(text) > max_chars:
            found.add(NormaliseCode.TRUNCATED_CHARS)
            text = _truncate(text, max_chars)
        if text == before:
            break
    else:
        # Every round uncovers another. Keep only what cannot hide anything, which ends it for certain.
        found.add(NormaliseCode.NESTING_FLATTENED)
        text = _fold(_NOT_ASCII_WORD.sub(" ", text))
    if not text:
        found.add(NormaliseCode.EMPTY)
    return Normalised(text, tuple(code for code in NormaliseCode if code in found))


_NOT_ASCII_WORD = re.compile(r"[^0-9A-Za-z]+")


def _fold(text: str) -> str:
    return " ".join(text.split())


# HTML's elements, the obsolete ones included. ``s`` is missing: it is a control token of several models, see below.
_INLINE = (
    "abbr acronym bdi bdo big cite code data del dfn em font ins kbd label mark samp small span strike strong sub "
    "sup time tt var wbr"
)
_BLOCK = (
    "address applet area article aside audio base blockquote body br button canvas caption center col colgroup "
    "datalist dd details dialog dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 "
    "h4 h5 h6 head header hgroup hr html iframe img input legend li link main map marquee math menu meta meter nav "
    "noframes noscript object ol optgroup option output p param picture plaintext pre progress rp rt ruby script "
    "search section select slot source style summary svg table tbody td template textarea tfoot th thead title tr "
    "track ul video xmp"
)
_GLUING = frozenset(_INLINE.split()) | frozenset("abiqu")
# Browsers never show these, so their content goes too. One that is not closed must not take the rest of the query.
_HIDDEN = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style", "template")}
_ATTRIBUTES = r"""(?:(?:[^<>"']++|"[^"]*+"|'[^']*+')*+|[^<>]*)>"""
# An element with one letter must close at once or carry an attribute with a value: `if a<b and c>d` is not markup.
_TAG = re.compile(
    rf"<!--(?:(?!<!--).)*?-->|<!doctype\b[^<>]*>"
    rf"|<(?P<slash>/?)(?:(?P<name>{'|'.join((_INLINE + ' ' + _BLOCK).split())})(?=[\s/>]){_ATTRIBUTES}"
    rf"|(?P<letter>[abipqu])(?:\s*/?>|(?=[\s/][^<>]*=){_ATTRIBUTES}))",
    re.IGNORECASE | re.DOTALL,
)
# The semicolon is required: browsers read `&copy=2` in a link as an entity, and people mean a parameter.
_ESCAPED_AGAIN = re.compile(r"&(?:(?:amp|AMP|#0{0,5}38|#[xX]0{0,4}26);)+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def _character(entity: re.Match[str]) -> str:
    written = entity.group()
    return html.unescape(written) if written[1] == "#" else html5.get(written[1:], written)


def _strip_markup(text: str) -> str:
    """Resolve entities, then take HTML elements out, those that are never shown (scripts, styles) with their content.

    Only known elements are markup: the end of ``x<y`` stays, where an HTML parser would swallow it.
    """
    if "<" not in text and "&" not in text:
        return text
    text = _ENTITY.sub(_character, _ESCAPED_AGAIN.sub("&", text))
    last_closing: dict[str, int] = {}
    kept: list[str] = []
    end = 0
    for tag in _TAG.finditer(text):
        if tag.start() < end:  # inside an element that is not shown
            continue
        name = (tag["name"] or tag["letter"] or "").lower()
        kept += text[end : tag.start()], "" if name in _GLUING else " "
        end = tag.end()
        if name in _HIDDEN and not tag["slash"]:
            if name not in last_closing:
                last_closing[name] = max((closing.start() for closing in _HIDDEN[name].finditer(text)), default=-1)
            if end <= last_closing[name] and (closing := _HIDDEN[name].search(text, end)):
                end = closing.end()
    return _fold("".join([*kept, text[end:]])) if kept else text


# UAX #15 allows 30 in stream-safe text. Every non-starter is a mark, whatever it decomposes to.
_LONG_RUN_OF_MARKS = regex.compile(r"(\p{M}{30})\p{M}++")


def _cap_marks(text: str) -> str:
    capped: str = text if text.isascii() else _LONG_RUN_OF_MARKS.sub(r"\1", text)
    return capped


# Thai and Lao AM are written, indexed and tokenised whole; NFKC alone would split them in two, in the wrong order.
_NOT_AM = re.compile(r"[^\u0e33\u0eb3]+")


# The accent that many keyboards offer as an apostrophe: NFKC would turn it into a space and a stray mark.
_ACUTE = "\u00b4"
_APOSTROPHE = regex.compile(r"(?<=\p{L})[\u2019\u2018\u02bc](?=\p{L})")
_TATWEEL = "\u0640"  # stretches a word of Arabic; it is no letter


def _compose(text: str) -> str:
    if text.isascii():
        return text
    text = _APOSTROPHE.sub("'", separate_digits(text).replace(_ACUTE, "'").replace(_TATWEEL, ""))
    return _fold(_NOT_AM.sub(lambda run: unicodedata.normalize("NFKC", run.group()), text))


# Stacked accents belong to the inherited script. Scripts that stack their own marks (Burmese, Tibetan, pointed Hebrew)
# may have as many as their longest syllable.
_COMBINING = regex.compile(r"(?V1)(?<=[\p{Inherited}&&\p{M}]{3})[\p{Inherited}&&\p{M}]+|(?<=\p{M}{7})\p{M}+")


def _cap_combining(text: str) -> str:
    kept: str = text if text.isascii() else _COMBINING.sub("", text)
    return kept


# A whole token goes with its name. Of a broken or padded one only the brackets go, so that no word of the user is lost.
# Whitespace is already folded, so a single optional space is enough.
_CONTROL_TOKEN = re.compile(
    r"< ?\| ?[^<>|\s]{0,40} ?\| ?>|< ?\||\| ?>"
    r"|< ?/? ?(?:think|tool_call|tool_response|start_of_turn|end_of_turn|bos|eos|pad|unk) ?/? ?>|</?s ?/?>"
    r"|\[ ?/? ?inst ?\]|< ?< ?/? ?sys ?> ?>",
    re.IGNORECASE,
)


def _neutralise_tokens(text: str) -> str:
    return _fold(_CONTROL_TOKEN.sub(" ", text)) if _CONTROL_TOKEN.search(text) else text


_LONGEST_GRAPHEME = 64


def _truncate(text: str, max_chars: int) -> str:
    """Cut at a grapheme's edge, or at a word's edge when one is within the last eighth."""
    # Only the end is divided: marks are capped, so no grapheme is longer, and a long run of flags takes quadratic time.
    start = max(0, max_chars - _LONGEST_GRAPHEME)
    edges = [start + grapheme.start() for grapheme in regex.finditer(r"\X", text[start : max_chars + 1])]
    cut: int = edges[-1] if edges[-1] > start else max_chars  # a grapheme longer than that is cut through
    space = text.rfind(" ", max_chars - max_chars // 8, cut + 1)
    return text[: space if space > 0 else cut].rstrip(" \u200c\u200d")


_STEPS: tuple[tuple[NormaliseCode, Callable[[str], str]], ...] = (
    (NormaliseCode.ENCODING_REPAIRED, repair_encoding),
    (NormaliseCode.WHITESPACE_FOLDED, _fold),
    (NormaliseCode.MARKUP_REMOVED, _strip_markup),
    (NormaliseCode.PERCENT_DECODED, lambda text: _fold(decode_percent(text))),
    (NormaliseCode.COMBINING_CAPPED, _cap_marks),
    (NormaliseCode.UNICODE_NORMALISED, _compose),
    (NormaliseCode.BIDI_REMOVED, drop_bidi),
    (NormaliseCode.HIDDEN_TEXT_REMOVED, lambda text: _fold(drop_hidden(text))),
    (NormaliseCode.ZERO_WIDTH_REMOVED, lambda text: _fold(drop_zero_width(text))),
    (NormaliseCode.CONTROLS_REMOVED, lambda text: _fold(drop_controls(text))),
    (NormaliseCode.COMBINING_CAPPED, _cap_combining),
    (NormaliseCode.CONTROL_TOKENS_NEUTRALISED, _neutralise_tokens),
)
