"""Text in a wrong encoding is repaired, and words with accents stay as people write them."""

import pytest

from sluicegate.models.text.mojibake import repair_encoding


@pytest.mark.parametrize(
    "text",
    [
        *["HOW TO MÃŠT Ã BÖMB", "PLÃŸ", "PERŸ WÂŠN'T LÂŠT-MINUTE", "bõįöläš£", "CAFÉ™", "LANCÔME®", "SÃO PAULO"],
        *["POÇÕES", "ÄÖÜ", "TODAVÍA…", "«ÉTÉ»", "Đà Nẵng", "NGUYỄN", "İstanbul", "GÂŞ", "smörgåsbord"],
    ],
)
def test_what_may_have_been_typed_stays(text: str) -> None:
    assert repair_encoding(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *["café", "naïve", "über", "Über", "groß", "Rīga", "Nicolás", "JOSÉ", "20 °C", "crème brûlée", "à la carte"],
        *["škoda", "İstanbul", "привет", "Ελλάδα", "日本", "สวัสดี"],
    ],
)
def test_what_was_decoded_as_another_encoding_is_repaired(text: str) -> None:
    wrong = "".join(chr(byte) if byte in _UNDEFINED else _decoded(byte) for byte in text.encode())
    assert repair_encoding(wrong) == text


_UNDEFINED = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
"""The bytes that Windows-1252 does not define: programs write them as they are."""


def _decoded(byte: int) -> str:
    return bytes([byte]).decode("windows-1252")
