"""From the tokens of an answer to its text, piece by piece.

A token of a byte-level vocabulary is a few bytes. One character may need several tokens, and so may a stop string.
Text is given out once it can no longer be the beginning of either.
"""

import codecs
from collections.abc import Sequence
from typing import Final


def _byte_of_each_character() -> dict[str, int]:
    """The byte that each character of a token stands for, as GPT-2 and all byte-level vocabularies since write them.

    Printable characters of Latin-1 stand for themselves; the other bytes, in order, are written as U+0100 and on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(others)}


BYTES: Final = _byte_of_each_character()


class AnswerText:
    """The text of one answer. Not thread-safe."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        """`stop` are the strings before which the answer ends; none is empty."""
        self._stop = stop
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False
        """Whether a stop string was found. Nothing is given out after it."""

    def add(self, token: str) -> str:
        """The text that is certain after `token`. May be empty."""
        return self._give(self._decoder.decode(bytes(map(BYTES.__getitem__, token))))

    def end(self) -> str:
        """The rest of the text. Bytes that are no character become U+FFFD."""
        rest = self._give(self._decoder.decode(b"", final=True)) + self._held
        self._held = ""
        return rest

    def _give(self, text: str) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        found = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)]
        certain = len(text) - max((_beginning(text, stop) for stop in self._stop), default=0)
        self._held = text[certain:]
        return text[:certain]


def _beginning(text: str, stop: str) -> int:
    """How many characters at the end of `text` may be the beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((length for length in range(longest, 0, -1) if text.endswith(stop[:length])), 0)
