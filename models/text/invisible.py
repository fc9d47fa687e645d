"""Removes characters that nobody sees: those that reorder text, join it, hide in it, or control a terminal.

What has a meaning stays: the joiners of Persian, Hindi and others between their letters, and the parts of emoji, such
as the joiners of 👩‍🔬 and the selectors of ❤️ and 1️⃣. A text that is hidden in tags or selectors goes whole.
"""

import regex  # type: ignore[import-untyped]  # it ships no types; what it returns is annotated where it is used

_BIDI = regex.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_JOINING = (
    r"[[\p{Arabic}\p{Syriac}\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Gujarati}\p{Oriya}\p{Tamil}\p{Telugu}\p{Kannada}"
    r"\p{Malayalam}\p{Sinhala}]&&[\p{L}\p{M}]]"
)
_PICTURE = r"\p{Extended_Pictographic}"
_TAG = r"[\U000e0000-\U000e007f]"
_REGION = (  # of England, Scotland and Wales, whose flags are a black one with their name in tags
    r"\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    r"|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
# Tags spell out ASCII, and the selectors from 17 on are used to write bytes after a sign.
_HIDDEN = regex.compile(rf"(?V1)(?<!{_TAG})(?!(?<=\U0001f3f4){_REGION}(?!{_TAG})){_TAG}+|[\U000e0100-\U000e01ef]{{2,}}")
_ZERO_WIDTH = regex.compile(
    rf"(?V1)(?<={_JOINING})([\u200c\u200d])[\u200c\u200d]*+(?={_JOINING})"
    rf"|((?<={_PICTURE}|{_PICTURE}[\ufe0f\U0001f3fb-\U0001f3ff])\u200d(?={_PICTURE})"
    rf"|(?<={_PICTURE})[\ufe0e\ufe0f]|(?<=[0-9#*])\ufe0f(?=\u20e3)|(?<=\U0001f3f4){_REGION})"
    r"|\p{Default_Ignorable_Code_Point}"
)
_CONTROLS = regex.compile(r"(?V1)[\p{C}--[\u200c\u200d\U000e0020-\U000e007f]]+")


def drop_bidi(text: str) -> str:
    """`text` without the characters that reorder it."""
    kept: str = _BIDI.sub("", text)
    return kept


def drop_hidden(text: str) -> str:
    """`text` without what is spelt out in tags or variation selectors."""
    kept: str = text if text.isascii() else _HIDDEN.sub("", text)
    return kept


def drop_zero_width(text: str) -> str:
    """`text` without the invisible characters that are not needed to write it."""
    kept: str = text if text.isascii() else _ZERO_WIDTH.sub(r"\1\2", text)
    return kept


def drop_controls(text: str) -> str:
    """`text` without control, private and unassigned characters."""
    kept: str = _CONTROLS.sub("", text)
    return kept
