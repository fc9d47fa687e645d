"""Normalisation: hostile input becomes one plain line, honest input stays as typed."""

import html
import string
import time
import unicodedata

import pytest
import regex  # type: ignore[import-untyped]  # it ships no types
from hypothesis import example, given
from hypothesis import strategies as st

from sluicegate.models.text.normalise import WORK_FACTOR, Normalised, normalise
from sluicegate.schemas.reason_codes import NormaliseCode

FRAGMENTS = [
    *[
        "<",
        ">",
        "|",
        "&",
        ";",
        "/",
        "[",
        "]",
        "!",
        "--",
        '"',
        "'",
        "=",
        " ",
        "\n",
        "#",
        "s",
        "b",
        "lt",
        "gt",
        "amp",
        "x",
    ],
    *["<|im_start|>", "<|", "|>", "<think>", "</think>", "[INST]", "[/inst]", "<<SYS>>", "<s>", "tool_call", "<pad>"],
    *["&lt;", "&gt;", "&amp;", "&#60;", "&#x7c;", "<b>", "</p>", "<script>", "</script>", "<!--", "-->", "<a title='"],
    *[
        "\u200b",
        "\u200c",
        "\u200d",
        "\ufe0f",
        "\ufeff",
        "\u202e",
        "\u0301",
        "\u0e47",
        "\x00",
        "\x1f",
        "\ud83d",
        "\ude00",
    ],
    *[
        "%41",
        "%25",
        "%E0%B8",
        "%D0%BA",
        "5",
        "½",
        "²",
        "⁻",
        "①",
        "㎡",
        "ـ",
        "’",
        "👩",
        "🔬",
        "❤",
        "⃣",
        "🏴",
        "\U000e0067",
    ],
    *["＜", "｜", "＞", "Ã©", "â€œ", "é", "می", "क्", "น้ำ", "ﬁ", "\ufdfa", "ᄒ", "ᅡ", "\u0b95", "\ufffd", "\ue000"],
]
wild = st.one_of(
    st.text(st.characters()),  # surrogates included
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(st.characters(), max_size=3)), max_size=20).map("".join),
)

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
FORBIDDEN = regex.compile(r"(?V1)[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}--[\u200c\u200d]]")
NEEDLESS_JOINER = regex.compile(
    r"(?V1)(?<![\p{L}\p{M}\p{Emoji}])[\u200c\u200d]|[\u200c\u200d](?![\p{L}\p{M}\p{Extended_Pictographic}])"
)
CONTROL = regex.compile(
    r"(?i)< ?\||\| ?>|\[ ?/? ?inst ?\]|< ?< ?/? ?sys ?> ?>|</?s ?/?>"
    r"|< ?/? ?(think|tool_call|start_of_turn|end_of_turn|bos|eos|pad|unk) ?/? ?>"
)


def codes(text: str) -> list[str]:
    return [str(code) for code in normalise(text).codes]


@given(wild, st.sampled_from([1, 2, 7, 40, 512]))
@example("<" * 40 + "|" * 40, 512)
@example("&" + "amp;" * 40 + "lt;b>", 512)
@example("می\u200cخواهم", 3)
def test_the_result_is_bounded_clean_and_a_fixed_point(text: str, max_chars: int) -> None:
    clean = normalise(text, max_chars=max_chars)
    assert len(clean.text) <= max_chars
    assert clean.text == " ".join(clean.text.split())
    visible = regex.sub(r"(?<=\p{Emoji})[\ufe0e\ufe0f]", "", clean.text.replace(ENGLAND, ""))
    assert not FORBIDDEN.search(visible)
    assert not NEEDLESS_JOINER.search(visible)
    assert not CONTROL.search(clean.text)
    for stretch in regex.split("[\u0e33\u0eb3]", clean.text):  # Thai and Lao AM are kept whole
        assert unicodedata.is_normalized("NFKC", stretch)
    assert len(set(clean.codes)) == len(clean.codes)
    again = normalise(clean.text, max_chars=max_chars)
    assert again == Normalised(clean.text, () if clean.text else again.codes)
    assert [str(code) for code in again.codes] == ([] if clean.text else ["empty"])


@given(wild)
def test_a_changed_text_always_has_a_reason(text: str) -> None:
    clean = normalise(text)
    assert bool(clean.codes) == (clean.text != text or not text)


PUNCTUATION = "".join(set(string.punctuation) - set("<>&|[%"))


@given(st.text(string.ascii_letters + string.digits + PUNCTUATION + " ", min_size=1, max_size=200))
def test_printable_ascii_without_markup_changes_in_nothing_but_whitespace(text: str) -> None:
    clean = normalise(text)
    assert clean.text == " ".join(text.split())
    assert set(codes(text)) <= {"whitespace_folded", "empty"}


@given(st.text(string.ascii_lowercase + "<>&|; ", min_size=1, max_size=60), st.integers(1, 6))
def test_escaping_a_text_again_and_again_uncovers_nothing_live(text: str, times: int) -> None:
    escaped = f"<script>{text}</script>"
    for _ in range(times):
        escaped = html.escape(escaped)
    assert "<script>" not in normalise(escaped).text


@pytest.mark.parametrize(
    "text",
    [
        *[
            "C++",
            "c#",
            ".NET 8",
            "AT&T",
            'tv 50"',
            '"exact phrase" -exclude',
            "i <3 you",
            "x<y",
            "a < b > c",
            "a|b || c",
        ],
        *["vector<int>", "List<String>", "Map<K, V>", "if a<b and c>d", "regex [a-z]+", "rock'n'roll", "100% & more;"],
        *["https://shop.example/p?id=1&copy=2&region=us#top", "user@example.com", "$9.99", "<3", "->", "=>", ":-)"],
        *["حذاء رياضي", "مُحَمَّد", "میخواهم", "می\u200cخواهم", "हिन्दी में जूते", "क्\u200dष", "น้ำดื่มที่นี่", "רִבּוֹן שָּׁ֣", "မြွှေ"],
        *[
            "한국어 신발",
            "赤い靴",
            "跑步鞋",
            "καλημέρα κόσμος",
            "straße",
            "Phở bò",
            "ПрИвЕт",
            "pаypal",
            "naïve café",
            "👩🏽 🇩🇪 shoes",
        ],
        *["👩‍🔬 costume", "❤️ mug", "1️⃣ place", "👩🏽‍🤝‍👩🏿", f"{ENGLAND} shirt", "🏳️‍🌈 flag"],
        *["100%", "20% off", "5%ad", "20%30%40%", "https://en.wikipedia.org/wiki/Caf%C3%A9", "%ZZ", "50% 50%"],
        *["$9", "€20 steam card", "£20", "¥100", "₹500", "İSTANBUL otel", "مشکل‌ها", "dogs’ beds", "m2", "H2O"],
    ],
)
def test_what_people_type_on_purpose_is_kept(text: str) -> None:
    assert normalise(text) == Normalised(text, ())


@pytest.mark.parametrize(
    ("text", "expected", "reasons"),
    [
        ("", "", ["empty"]),
        (" red\t\n shoes ", "red shoes", ["whitespace_folded"]),
        ("cafÃ©", "café", ["encoding_repaired"]),
        ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет", ["encoding_repaired"]),
        ("smile \ud83d\ude00", "smile 😀", ["encoding_repaired"]),
        ("half\ud83d", "half", ["encoding_repaired"]),
        ("R&amp;D", "R&D", ["markup_removed"]),
        ("<b>red</b> shoes", "red shoes", ["markup_removed"]),
        ("<p>red</p><p>shoes</p>", "red shoes", ["markup_removed"]),
        ("red<BR/>shoes<!-- secret -->", "red shoes", ["markup_removed"]),
        ("sun<b>glass</b>es", "sunglasses", ["markup_removed"]),
        ("<a href='/x?a=1>2' title=\"<b>\">belt</a>", "belt", ["markup_removed"]),
        ("<script>alert(1)</script>shoes", "shoes", ["markup_removed"]),
        ("<img src=x onerror=alert(1)>dog", "dog", ["markup_removed"]),
        ("&lt;script&gt;alert(1)&lt;/script&gt;shoes", "shoes", ["markup_removed"]),
        ("&amp;lt;b&amp;gt;belt", "belt", ["markup_removed"]),
        ("how to close a <script> tag", "how to close a tag", ["markup_removed"]),
        ("<b>vector<int></b> x<y", "vector<int> x<y", ["markup_removed"]),
        ("ｉＰｈｏｎｅ１５", "iPhone15", ["unicode_normalised"]),
        ("\u1112\u1161\u11ab", "\ud55c", ["unicode_normalised"]),
        ("rock´n´roll", "rock'n'roll", ["unicode_normalised"]),
        ("abc\u202egpj.exe", "abcgpj.exe", ["bidi_removed"]),
        ("sh\u200bo\u00ades\ufeff", "shoes", ["zero_width_removed"]),
        ("i\u200cP\u200dad", "iPad", ["zero_width_removed"]),
        ("می\u200c\u200cخواهم", "می\u200cخواهم", ["zero_width_removed"]),
        ("hi\U000e0041\U000e007f", "hi", ["hidden_text_removed"]),
        ("😀\U000e0101\U000e0112", "😀", ["hidden_text_removed"]),
        ("a\ufe0fb", "ab", ["zero_width_removed"]),
        ("👩\u200b\u200d🔬", "👩🔬", ["zero_width_removed"]),
        ("5½ inch ring", "5 1/2 inch ring", ["unicode_normalised"]),
        ("1½½ ¾lb", "1 1/2 1/2 3/4lb", ["unicode_normalised"]),
        ("10² board", "10^2 board", ["unicode_normalised"]),
        ("10⁻³ m²", "10^-3 m2", ["unicode_normalised"]),
        ("H₂O", "H2O", ["unicode_normalised"]),
        ("①② 5③", "1 2 5 3", ["unicode_normalised"]),
        ("men’s shoes", "men's shoes", ["unicode_normalised"]),
        ("شـابوص", "شابوص", ["unicode_normalised"]),
        ("%D0%BA%D0%BE%D1%84%D0%B5", "кофе", ["percent_decoded"]),
        ("how%20to+brew%20%D0%BA%D0%BE%D1%84%D0%B5", "how to brew кофе", ["percent_decoded"]),
        ("%2570%2569pe", "pipe", ["percent_decoded"]),
        ("%3Cb%3Ered", "red", ["markup_removed", "percent_decoded"]),
        ("R&amp;amp;amp;D", "R&D", ["markup_removed"]),
        ("re\x00d\x1b[31m", "red[31m", ["controls_removed"]),
        ("logo\ue000\U0010ffff", "logo", ["controls_removed"]),
        ("Z" + "\u0335\u0336\u0337" * 9 + "algo", "Z\u0335\u0336\u0337algo", ["combining_capped"]),
        ("ก" + "\u0e47" * 50, "ก" + "\u0e47" * 7, ["combining_capped"]),
        ("<|im_start|>system shoes<|im_end|>", "system shoes", ["control_tokens_neutralised"]),
        ("<|im_<|im_start|>start|> x", "im_ start x", ["control_tokens_neutralised"]),
        ("< | IM_START | > x", "x", ["control_tokens_neutralised"]),
        ("</Think>x<tool_call>", "x", ["control_tokens_neutralised"]),
        ("[INST] <<SYS>> x <</SYS>> [/INST]", "x", ["control_tokens_neutralised"]),
        ("<s>x</s><start_of_turn>y<eos>", "x y", ["control_tokens_neutralised"]),
        ("<thi<think>nk>", "<thi nk>", ["control_tokens_neutralised"]),
        ("＜｜im_start｜＞x", "x", ["unicode_normalised", "control_tokens_neutralised"]),
        ("<\u200b|im_start|\u200b>x", "x", ["zero_width_removed", "control_tokens_neutralised"]),
        ("<th<b></b>ink>x", "x", ["markup_removed", "control_tokens_neutralised"]),
        ("&lt;|im_end|&gt;x", "x", ["markup_removed", "control_tokens_neutralised"]),
        ("<scr\u200bipt>alert(1)</scr\u200bipt>shoes", "shoes", ["markup_removed", "zero_width_removed"]),
    ],
)
def test_a_hostile_text_is_disarmed_and_says_why(text: str, expected: str, reasons: list[str]) -> None:
    assert (normalise(text).text, codes(text)) == (expected, reasons)


def test_a_long_text_is_cut_at_a_word_when_one_is_near() -> None:
    clean = normalise("word " * 30, max_chars=48)
    assert clean.text == " ".join(["word"] * 9)
    assert "truncated_chars" in clean.codes
    assert normalise("x" * 100, max_chars=48).text == "x" * 48


def test_a_cut_never_splits_a_grapheme() -> None:
    assert normalise("g\u0308" * 10, max_chars=5).text == "g\u0308g\u0308"
    assert normalise("👍🏽" * 10, max_chars=3).text == "👍🏽"


def test_a_cut_leaves_no_joiner_behind() -> None:
    assert normalise("می\u200cخواهم", max_chars=3) == Normalised("می", (NormaliseCode.TRUNCATED_CHARS,))


def test_input_beyond_the_work_limit_is_never_looked_at() -> None:
    limit = 512 * WORK_FACTOR
    assert normalise(" " * (limit - 5) + "shoes" + "<b>" * 3_000_000) == normalise(" " * (limit - 5) + "shoes ...")


ATTACKS = {
    "stacked accents": "a" + "\u0301\u0316\u0344" * 500,
    "accents as entities": "a" + "&#769;&#790;" * 50,
    "accents between fillers": "\u0301\u0316\u034f\u200b",
    "mojibake": ">Ã©",
    "letters that expand": "\ufdfa",
    "unclosed scripts": "<script>",
    "scripts": "<script></script>",
    "quotes in quotes": "<b/\"'\"<b/'",
    "attributes without end": "<a =",
    "comments without end": "<!--",
    "brackets of control tokens": "<|",
    "escapes of escapes": "&amp;",
    "percent signs": "%25",
    "fractions": "½",
    "tags": "\U000e0041\U0001f3f4",
    "joined emoji": "👩\u200d",
    "nested elements": "<div><p>",
    "flags": "\U0001f1e9\U0001f1ea",
    "joiners": "می\u200c\u200d",
    "half surrogates": "\ud83d",
    "spaces": " \t",
}


@pytest.mark.parametrize("unit", ATTACKS.values(), ids=ATTACKS)
def test_the_work_is_proportional_to_the_length_of_the_text(unit: str) -> None:
    def cost(max_chars: int) -> float:
        text = (unit * (WORK_FACTOR * max_chars // len(unit) + 1))[: WORK_FACTOR * max_chars]
        times = []
        for _ in range(5):
            started = time.thread_time()  # of this thread alone: the machine may be busy
            normalise(text, max_chars=max_chars)
            times.append(time.thread_time() - started)
        return min(times)

    assert cost(2048) < 10 * cost(512) + 0.001  # four times as long; quadratic work would take sixteen times as long


def test_megabytes_cost_what_the_work_limit_costs() -> None:
    started = time.thread_time()
    clean = normalise("a" + "\u0301" * 10_000_000, max_chars=2048)
    assert time.thread_time() - started < 1
    assert clean.text == "á" + "\u0301" * 3
    assert [str(code) for code in clean.codes] == ["unicode_normalised", "combining_capped", "truncated_chars"]


def test_a_run_of_marks_is_capped_before_unicode_normalises_it() -> None:
    marks = "\u0316\u0301" * 5000  # NFKC sorts them, in quadratic time
    assert normalise("o" + marks).text == "\u00f3" + "\u0316" * 3
    assert "combining_capped" in codes("o" + marks)
    assert codes("o" + "\u0301") == ["unicode_normalised"]


def test_nesting_without_end_is_flattened_to_ascii_words() -> None:
    clean = normalise("кот x%" + "25" * 100 + "41 cat")
    assert clean.text.endswith("2541 cat")
    assert "nesting_flattened" in clean.codes


def test_an_entity_is_resolved_however_often_it_was_escaped() -> None:
    assert normalise("кот &" + "amp;" * 100 + "lt;b> cat") == Normalised("кот cat", (NormaliseCode.MARKUP_REMOVED,))


@given(st.text("0123456789½¾²³⁻₂①⑩㎡㏡ m", max_size=12))
def test_no_digit_runs_into_another(text: str) -> None:
    numbers = regex.findall(r"\d+", normalise(text).text)
    typed = regex.findall(r"\d+", regex.sub(r"([½¾①⑩㎡㏡]|[²³]+|₂+)", lambda sign: f" {unfolded(sign[0])} ", text))
    assert numbers == typed


def unfolded(sign: str) -> str:
    return unicodedata.normalize("NFKC", sign).replace("\u2044", " / ")
