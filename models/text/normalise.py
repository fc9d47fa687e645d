"""Turn whatever a producer sent into one short, plain line of text, and say what had to be changed.

A model, an index and a terminal read this text afterwards, so none of it may act on them: no live markup, no invisible
or reordering characters, no token that a chat template gives a meaning to. What people type on purpose stays: case,
punctuation, operators, ``C++``, ``vector<int>``, look-alike letters, and the joiners that Persian and Hindi need.

    encoding ─► whitespace ─► markup ─► NFKC ─► bidi, zero-width, control, combining ─► control tokens ─► length
       ▲                                                                                                    │
       └────────────────────────────── again, until a round changes nothing ────────────────────────────────┘

Rounds matter because each step can uncover work for another: ``&lt;b&gt;`` hides a tag, a full-width ``＜`` hides a
token, a zero-width space hides both.
"""

import html
import re
import unicodedata
from collections.abc import Callable
from html.entities import html5

import ftfy
import msgspec
import nh3
import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

from sluicegate.schemas.reason_codes import NormaliseCode


class Normalised(msgspec.Struct, frozen=True):
    """The clean text and the reasons it differs from the input; each code at most once, in enum order."""

    text: str
    codes: tuple[NormaliseCode, ...]


ROUNDS = 8
"""Rounds before a text that keeps changing is taken for hostile; natural ones settle in two or three."""

WORK_FACTOR = 16
"""Input beyond this many times ``max_chars`` is cut before any costly step."""

# Printable ASCII, single spaces, and none of the characters that markup, entities or control tokens start with.
_PLAIN = re.compile(r"[!-%'-;=?-Z\\-{}~]++(?: [!-%'-;=?-Z\\-{}~]++)*+")


def normalise(text: str, *, max_chars: int = 512) -> Normalised:
    """Clean one query. Never raises, whatever the string holds (lone surrogates and megabytes included).

    The result is a fixed point: normalising it again changes nothing. It is one line of at most ``max_chars`` (at least
    1) code points, in NFKC but for Thai and Lao AM, with no code point of the categories Cc, Cf, Co, Cs and Cn except a
    joiner between letters that need it, no HTML element, no ``<|`` or ``|>``, and no known control tag. The work is
    bounded by ``WORK_FACTOR * max_chars``, not by the input.
    """
    if len(text) <= max_chars and _PLAIN.fullmatch(text):
        return Normalised(text, ())
    found: set[NormaliseCode] = set()
    if len(text) > WORK_FACTOR * max_chars:
        text = text[: WORK_FACTOR * max_chars]
        found.add(NormaliseCode.TRUNCATED_CHARS)
    for _ in range(ROUNDS):
        before = text
        for code, step in _STEPS:
            changed = step(text)
            if changed != text:
                found.add(code)
                text = changed
        if len(text) > max_chars:
            found.add(NormaliseCode.TRUNCATED_CHARS)
            text = _truncate(text, max_chars)
        if text == before:
            break
    else:
        # Nested so that every round uncovers another. Only what cannot be nested stays, which ends it for certain.
        found.add(NormaliseCode.NESTING_FLATTENED)
        text = _fold(_NOT_ASCII_WORD.sub(" ", text))
    if not text:
        found.add(NormaliseCode.EMPTY)
    return Normalised(text, tuple(code for code in NormaliseCode if code in found))


_NOT_ASCII_WORD = re.compile(r"[^0-9A-Za-z]+")


def _fold(text: str) -> str:
    return " ".join(text.split())


def _repair_encoding(text: str) -> str:
    """Undo mojibake, join surrogate pairs, and drop what never decoded (U+FFFD and lone surrogates)."""
    if text.isascii():
        return text
    repaired = ftfy.fix_encoding(text)
    return repaired.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\ufffd", "")


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
# Never shown, so dropped with what they hold; one that is not closed would take the rest of the query with it.
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
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def _character(entity: re.Match[str]) -> str:
    written = entity.group()
    return html.unescape(written) if written[1] == "#" else html5.get(written[1:], written)


def _strip_markup(text: str) -> str:
    """Resolve entities, then take HTML elements out, those that are never shown (scripts, styles) with their content.

    nh3 parses like a browser and would swallow the end of ``x<y``, so everything that is not a known, closed tag is
    escaped before it, and unescaped after. Attributes are dropped first: nothing reads them.
    """
    if "<" not in text and "&" not in text:
        return text
    text = _ENTITY.sub(_character, text)
    page: list[str] = []
    end = 0
    for tag in _TAG.finditer(text):
        name = (tag["name"] or tag["letter"] or "").lower()
        gap = "" if name in _GLUING else " "
        unclosed = name in _HIDDEN and not tag["slash"] and not _HIDDEN[name].search(text, tag.end())
        element = f"<{tag['slash']}{name}>" if name and not unclosed else ""
        page += html.escape(text[end : tag.start()], quote=False), gap, element, gap
        end = tag.end()
    if not page:
        return text
    page.append(html.escape(text[end:], quote=False))
    return _fold(html.unescape(nh3.clean("".join(page), tags=set(), clean_content_tags={"script", "style"})))


# Thai and Lao AM are written, indexed and tokenised whole; NFKC alone would split them in two, in the wrong order.
_NOT_AM = re.compile(r"[^\u0e33\u0eb3]+")


def _compose(text: str) -> str:
    # NFKC would also turn the accent that many keyboards offer as an apostrophe into a space and a stray mark.
    text = text.replace("\u00b4", "'")
    return _fold(_NOT_AM.sub(lambda run: unicodedata.normalize("NFKC", run.group()), text))


_BIDI = regex.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_JOINING = (
    r"[[\p{Arabic}\p{Syriac}\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Gujarati}\p{Oriya}\p{Tamil}\p{Telugu}\p{Kannada}"
    r"\p{Malayalam}\p{Sinhala}]&&[\p{L}\p{M}]]"
)
# Variation selectors, soft hyphens, tags, fillers and byte order marks are default-ignorable, as are the joiners.
_ZERO_WIDTH = regex.compile(
    rf"(?V1)(?<={_JOINING})([\u200c\u200d])[\u200c\u200d]*+(?={_JOINING})|\p{{Default_Ignorable_Code_Point}}"
)
_CONTROLS = regex.compile(r"(?V1)[\p{C}--[\u200c\u200d]]+")
# Stacked accents come from the inherited script. Scripts that stack marks of their own (Burmese, Tibetan, pointed
# Hebrew) get room for the longest syllable they write.
_COMBINING = regex.compile(r"(?V1)(?<=[\p{Inherited}&&\p{M}]{3})[\p{Inherited}&&\p{M}]+|(?<=\p{M}{7})\p{M}+")


def _drop_bidi(text: str) -> str:
    kept: str = _BIDI.sub("", text)
    return kept


def _drop_zero_width(text: str) -> str:
    kept: str = _ZERO_WIDTH.sub(r"\1", text)
    return _fold(kept)


def _drop_controls(text: str) -> str:
    kept: str = _CONTROLS.sub("", text)
    return _fold(kept)


def _cap_combining(text: str) -> str:
    kept: str = _COMBINING.sub("", text)
    return kept


# A whole token goes, name and all; of a broken or padded one only the brackets, so that no user's word is lost with it.
# Whitespace is already folded, hence single optional spaces.
_CONTROL_TOKEN = re.compile(
    r"< ?\| ?[^<>|\s]{0,40} ?\| ?>|< ?\||\| ?>"
    r"|< ?/? ?(?:think|tool_call|tool_response|start_of_turn|end_of_turn|bos|eos|pad|unk) ?/? ?>|</?s ?/?>"
    r"|\[ ?/? ?inst ?\]|< ?< ?/? ?sys ?> ?>",
    re.IGNORECASE,
)


def _neutralise_tokens(text: str) -> str:
    return _fold(_CONTROL_TOKEN.sub(" ", text)) if _CONTROL_TOKEN.search(text) else text


def _truncate(text: str, max_chars: int) -> str:
    """Cut at a grapheme's edge, or at a word's edge when one is within the last eighth."""
    edges: list[int] = [grapheme.start() for grapheme in regex.finditer(r"\X", text[: max_chars + 1])]
    cut = edges[-1] or max_chars  # a first grapheme longer than the limit is cut through
    space = text.rfind(" ", max_chars - max_chars // 8, cut + 1)
    return text[: space if space > 0 else cut].rstrip(" \u200c\u200d")


_STEPS: tuple[tuple[NormaliseCode, Callable[[str], str]], ...] = (
    (NormaliseCode.ENCODING_REPAIRED, _repair_encoding),
    (NormaliseCode.WHITESPACE_FOLDED, _fold),
    (NormaliseCode.MARKUP_REMOVED, _strip_markup),
    (NormaliseCode.UNICODE_NORMALISED, _compose),
    (NormaliseCode.BIDI_REMOVED, _drop_bidi),
    (NormaliseCode.ZERO_WIDTH_REMOVED, _drop_zero_width),
    (NormaliseCode.CONTROLS_REMOVED, _drop_controls),
    (NormaliseCode.COMBINING_CAPPED, _cap_combining),
    (NormaliseCode.CONTROL_TOKENS_NEUTRALISED, _neutralise_tokens),
)
