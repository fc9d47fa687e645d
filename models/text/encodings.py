"""Undoes encodings of text that programs leave in queries, or that people hide words in: percent signs, base64, hex.

Only what decodes to readable text is decoded: a part number or an id that looks like base64 stays.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_to_bytes

_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_ENCODED_TOKEN: Final = re.compile(r"\S*%[0-9A-Fa-f]{2}\S*")
_PERCENTAGES: Final = re.compile(r"[0-9][0-9%.,+-]*")
"""As in ``20%30%``."""


def has_percent_escape(text: str) -> bool:
    """Whether a percent sign is followed by two hexadecimal digits somewhere in `text`."""
    return "%" in text and _ESCAPE.search(text) is not None


def decode_percent(text: str) -> str:
    """`text` with each word that is percent-encoded UTF-8 decoded once; addresses with a scheme stay as they are."""
    return _ENCODED_TOKEN.sub(_decode_token, text) if has_percent_escape(text) else text


def _decode_token(found: re.Match[str]) -> str:
    token = found.group()
    if "://" in token or _PERCENTAGES.fullmatch(token):
        return token
    try:
        return unquote_to_bytes(token.replace("+", " ")).decode()
    except UnicodeDecodeError:
        return token


_JOINED_ESCAPE: Final = re.compile(
    r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|%u([0-9a-f]{4})|&#x([0-9a-f]{2,6})|&#([0-9]{2,7})|%([2-7][0-9a-f])"
)
_BASE64: Final = re.compile(r"(?<![^\s\"'(:=])(?=\S*[a-zA-Z])[A-Za-z0-9+/_-]{8,}={0,2}(?![^\s\"'):,;.!?])")
_HEX: Final = re.compile(r"(?<![^\s\"'(:=])(?:0x)?(?:[2-7][0-9a-fA-F]){6,}(?![^\s\"'):,;.!?])")
_READABLE: Final = re.compile(r"(?=.*[A-Za-z]{3})[A-Za-z0-9 .,!?'\"_:;-]+")


def reveal(text: str) -> str:
    """`text` with everything decoded that decodes to readable ASCII: escapes inside words, base64 and hexadecimal."""
    text = _JOINED_ESCAPE.sub(_decode_escape, text) if "%" in text or "\\" in text or "&#" in text else text
    if len(text) >= _SHORTEST:
        text = _HEX.sub(_decoded_by(_from_hex), text)
        text = _BASE64.sub(_decoded_by(_from_base64), text)
    return text


_SHORTEST: Final = 8
"""Characters of the shortest text that base64 or hexadecimal digits are looked for in."""


def _decode_escape(found: re.Match[str]) -> str:
    decimal = found[5]
    number = int(decimal) if decimal else int(next(group for group in found.groups() if group), 16)
    character = chr(number) if number < 0x110000 else ""
    return character if character.isprintable() else found.group()


def _decoded_by(decode: Callable[[str], bytes]) -> Callable[[re.Match[str]], str]:
    def replacement(found: re.Match[str]) -> str:
        try:
            decoded = decode(found.group()).decode("ascii")
        except (binascii.Error, ValueError):
            return found.group()
        return decoded.strip() if _READABLE.fullmatch(decoded) else found.group()

    return replacement


def _from_base64(token: str) -> bytes:
    digits = token.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)


def _from_hex(token: str) -> bytes:
    return bytes.fromhex(token.removeprefix("0x"))
