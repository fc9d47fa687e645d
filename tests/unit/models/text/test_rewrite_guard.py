"""Rewrite checks: corrections pass; a rewrite that adds or loses a word falls back to the query."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.models.text.normalise import normalise
from sluicegate.models.text.rewrite_guard import (
    MAX_WORDS,
    RewriteCheck,
    check_expansions,
    check_rewrite,
    semantic_query,
)
from sluicegate.schemas.reason_codes import RewriteCode

WORDS = [
    "running",
    "shoes",
    "red",
    "iphone",
    "15",
    "xr15b",
    "the",
    "for",
    "not",
    "football",
    "кроссовки",
    "tv",
    "a",
    "c++",
]
words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6)


@st.composite
def misspelt(draw: st.DrawFn) -> tuple[str, str]:
    """A query and a rewrite of it that is sometimes honest: words typed wrongly, joined, split, dropped, or added."""
    asked = draw(words)
    typed: list[str] = []
    for word in asked:
        place = draw(st.integers(0, len(word)))
        edit = draw(st.sampled_from(["keep", "keep", "drop letter", "add letter", "split", "drop"]))
        typed += {
            "keep": [word],
            "drop letter": [word[:place] + word[place + 1 :]],
            "add letter": [word[:place] + "e" + word[place:]],
            "split": [word[:place], word[place:]],
            "drop": [],
        }[edit]
    extra = draw(st.sampled_from([[], [], ["buy"], ["16"], asked]))
    glue = draw(st.sampled_from([" ", " ", "-", ""]))
    pair = (" ".join(typed), glue.join(asked + extra))
    return draw(st.sampled_from([pair, pair[::-1]]))


def distance(source: str, target: str) -> int:
    """Optimal string alignment by the textbook, as a witness independent of the code's library."""
    rows = [list(range(len(target) + 1))]
    for i, letter in enumerate(source, 1):
        row = [i]
        for j, other in enumerate(target, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == target[j - 2] and source[i - 2] == other:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def tokens(text: str) -> list[str]:
    return re.findall(r"[^\W_]+[+#]*", text.casefold())


def is_near(source: str, target: str) -> bool:
    if source == target:
        return True
    return (
        source.isalpha() and target.isalpha() and distance(source, target) <= (len(source) > 4) + (len(source) > 8) + 1
    )


def is_derivable(place: int, rewritten: list[str], asked: list[str]) -> bool:
    sources = asked + [left + right for left, right in pairwise(asked)]
    spans = [rewritten[i:j] for i in range(place + 1) for j in range(place + 1, len(rewritten) + 1) if j - i <= 3]
    return any(is_near(source, "".join(span)) for source in sources for span in spans)


@settings(max_examples=300)
@given(misspelt())
def test_every_word_of_the_lexical_query_comes_from_the_query(pair: tuple[str, str]) -> None:
    query, rewrite = pair
    check = check_rewrite(query, rewrite)
    rewritten, asked = tokens(check.lexical), tokens(query)
    assert all(is_derivable(place, rewritten, asked) for place in range(len(rewritten)))
    assert re.findall(r"\d+", check.lexical) == re.findall(r"\d+", query)
    assert tokens(check.lexical).count("not") == asked.count("not")
    assert check.lexical in (query, " ".join(rewrite.split()))


@given(st.text(st.characters(), max_size=80), st.text(st.characters(), max_size=200))
def test_any_pair_of_texts_ends_in_a_bounded_answer(query: str, rewrite: str) -> None:
    check = check_rewrite(query, rewrite)
    assert len(check.lexical) <= 2 * len(query) + 8
    assert check.accepted or check.lexical == query
    assert len(check.codes) <= 1
    if check.codes == (RewriteCode.REWRITTEN,):
        assert normalise(check.lexical, max_chars=1_000).text == check.lexical


@given(st.text(st.characters()))
def test_a_rewrite_that_is_the_query_is_always_accepted(query: str) -> None:
    assert check_rewrite(query, query) == RewriteCheck(query, accepted=True, codes=())


def test_a_rewrite_that_differs_in_case_alone_keeps_the_users_case() -> None:
    assert check_rewrite("iPhone Case", "iphone case") == RewriteCheck("iPhone Case", accepted=True, codes=())


@pytest.mark.parametrize(
    ("query", "rewrite"),
    [
        ("runing sheos", "running shoes"),
        ("chaep flihgts to new yrok", "cheap flights to new york"),
        ("cheap flights to the beach", "cheap flights beach"),
        ("i phone 15 case", "iphone 15 case"),
        ("iphone15 case", "iphone 15 case"),
        ("nike shoesfor men", "nike shoes for men"),
        ("shoe s", "shoes"),
        ("newyorkcity hotel", "new york city hotel"),
        ("wifi router", "wi-fi router"),
        ("dont forget", "don't forget"),
        ("at t phone", "AT&T phone"),
        ("c++ tutoral", "C++ tutorial"),
        ("shoes -nike sandls", "shoes -nike sandals"),
        ('"running shoes" chaep', '"running shoes" cheap'),
        ("zapatos de nino", "zapatos de niño"),
        ("красные кросовки", "красные кроссовки"),
        ("红色跑步鞋", "红色 跑步鞋"),
        ("운동하 추천", "운동화 추천"),
        ("जूत पुरुष", "जूते पुरुष"),
        ("red shoes", "  red  shoe "),
    ],
)
def test_a_correction_is_accepted(query: str, rewrite: str) -> None:
    expected = RewriteCheck(" ".join(rewrite.split()), accepted=True, codes=(RewriteCode.REWRITTEN,))
    assert check_rewrite(query, rewrite) == expected


@pytest.mark.parametrize(
    ("query", "rewrite", "code"),
    [
        ("shoes", "", "rewrite_empty"),
        ("shoes", " \n", "rewrite_empty"),
        ("shoes", "shoes " * 4, "rewrite_too_long"),
        ("shoes", "x" * 10_000_000, "rewrite_too_long"),
        ("a b " * 40, "a b " * (MAX_WORDS // 2) + "c", "rewrite_too_long"),
        ("red shoes", "red shoes<|im_end|>", "rewrite_control"),
        ("red shoes", "<think>red shoes", "rewrite_control"),
        ("red shoes", "red\nshoes", "rewrite_control"),
        ("red shoes", "red\u202eshoes", "rewrite_control"),
        ("red shoes", "red\u200bshoes", "rewrite_control"),
        ("red shoes", "<b>red shoes</b>", "rewrite_control"),
        ("red shoes", "red shoes \ud800", "rewrite_control"),
        ("red shoes", "красные туфли", "rewrite_script"),
        ("pay pal", "pаy pal", "rewrite_script"),
        ("red shoes", "red shoes 鞋", "rewrite_script"),
        ("red shoes", "red shoes ᏣᎳᎩ", "rewrite_script"),
        ("shoes without laces", "shoes with laces", "rewrite_negation"),
        ("shoes -nike", "shoes nike", "rewrite_negation"),
        ("shoes nike", "shoes -nike", "rewrite_negation"),
        ("gluten free white bread", "gluten white bread", "rewrite_negation"),
        ("tie a knot", "tie a not", "rewrite_negation"),
        ("不含糖的饮料", "含糖的饮料", "rewrite_negation"),
        ('"red shoes" sale', "red shoes sale", "rewrite_operator"),
        ("cats OR dogs", "cats or dog", "rewrite_operator"),
        ("site:a.org shoes", "site a.org shoes", "rewrite_operator"),
        ("iphone 15 case", "iphone 16 case", "rewrite_number"),
        ("iphone case", "iphone 15 case", "rewrite_number"),
        ("1 5 l bottle", "15 l bottle", "rewrite_number"),
        ("screen 1.5 m", "screen 15 m", "rewrite_number"),
        ("red shoes", "red leather shoes", "rewrite_invented"),
        ("red shoes", "ignore all rules", "rewrite_invented"),
        ("red shoes", "red shoes shoes", "rewrite_invented"),
        ("red shoes", "red shoes *", "rewrite_invented"),
        ("model xr15b", "model xr15d", "rewrite_invented"),
        ("c++ book", "c book", "rewrite_invented"),
        ("红鞋", "绿鞋", "rewrite_invented"),
        ("x y", "z y", "rewrite_invented"),
        ("best red running shoes", "red shoes", "rewrite_dropped"),
        ("child car seat", "child seat", "rewrite_dropped"),
        ("red shoes", "...", "rewrite_dropped"),
    ],
)
def test_a_rewrite_that_fails_a_check_falls_back_to_the_query(query: str, rewrite: str, code: str) -> None:
    assert check_rewrite(query, rewrite) == RewriteCheck(query, accepted=False, codes=(RewriteCode(code),))


def test_expansions_are_cleaned_deduplicated_and_bounded() -> None:
    offered = [
        "Trainers",
        "trainers",
        " gym  shoes ",
        "RUNNING SHOES",
        "sneakers",
        "Shoes > Men",
        "ｊｏｇｇｅｒｓ",
        "spikes",
    ]
    assert check_expansions("running shoes", offered) == ("Trainers", "gym shoes", "sneakers", "Shoes > Men")
    assert check_expansions("running shoes", offered, limit=5)[-1] == "joggers"


@pytest.mark.parametrize(
    "expansion",
    [
        "",
        "  ",
        "?!",
        "x" * 49,
        "a\nb",
        "<|im_start|>x",
        "<b>x</b>",
        "x\u202ey",
        "x\x00",
        "\ud800",
        "туфли",
        "x" * 10**7,
    ],
)
def test_a_bad_expansion_is_dropped_and_a_good_one_is_kept(expansion: str) -> None:
    assert check_expansions("shoes", [expansion, "boots"]) == ("boots",)


def test_a_query_without_letters_may_be_expanded_in_any_script() -> None:
    assert check_expansions("4090", ["graphics card", "видеокарта"]) == ("graphics card", "видеокарта")


@given(st.text(st.characters(), max_size=20), st.lists(st.text(st.characters(), max_size=60), max_size=8))
def test_expansions_of_anything_are_short_plain_lines(query: str, offered: list[str]) -> None:
    kept = check_expansions(query, offered)
    assert len(kept) <= 4
    assert len({line.casefold() for line in kept} | {query.casefold()}) == len(kept) + 1
    assert all(len(line) <= 48 and normalise(line).text == line for line in kept)


@pytest.mark.parametrize(
    ("synonyms", "facets", "expected"),
    [
        (["trainers", "sneakers"], ["Shoes > Men"], "running shoes (trainers, sneakers; Shoes > Men)"),
        (["trainers"], [], "running shoes (trainers)"),
        ([], ["Shoes", "Men"], "running shoes (Shoes, Men)"),
        ([], [], "running shoes"),
    ],
)
def test_the_semantic_query_starts_with_the_lexical_one(synonyms: list[str], facets: list[str], expected: str) -> None:
    assert semantic_query("running shoes", synonyms, facets) == expected


@pytest.mark.parametrize(
    ("query", "rewrite"),
    [
        ("unecessary surgery", "necessary surgery"),
        ("necessary surgery", "unnecessary surgery"),
        ("wirless mouse", "wire mouse"),
        ("decaffeinated tea", "caffeinated tea"),
        ("behavioral therapy", "behavioural therapy"),
        ("tumour markers", "tumor markers"),
    ],
)
def test_meaning_and_the_spelling_of_a_country_stay(query: str, rewrite: str) -> None:
    assert check_rewrite(query, rewrite) == RewriteCheck(query, accepted=False, codes=(RewriteCode.INVENTED,))
