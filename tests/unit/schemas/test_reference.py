"""docs/reference.md lists every value that events use, and is what the code says."""

import ast
from pathlib import Path

import pytest

import sluicegate
from sluicegate.schemas.reason_codes import FAMILIES, KNOWN_CODES, VOCABULARIES
from sluicegate.schemas.reference import as_markdown
from sluicegate.schemas.vocabulary import Category, Intent, ScoreName, Word

ROOT = Path(sluicegate.__file__).parents[1]


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == as_markdown(), "run `make docs`"


@pytest.mark.parametrize("words", [Category, Intent, ScoreName, *VOCABULARIES])
def test_every_word_has_a_meaning_and_is_listed(words: type[Word]) -> None:
    page = as_markdown()
    for word in words:
        assert word.meaning.endswith("."), word
        assert f"| `{word.value}` | {word.meaning} |" in page


def test_every_family_of_codes_is_listed() -> None:
    page = as_markdown()
    for family in FAMILIES:
        assert f"| `{family.prefix}:{family.parameter}` | {family.meaning}" in page


def test_codes_are_unique() -> None:
    assert len(KNOWN_CODES) == len(set(KNOWN_CODES))


def test_only_the_registry_makes_parametrised_codes() -> None:
    """The type checker refuses any other string as a reason code; this closes the one way around it."""
    makers = []
    for folder in ("agents", "models", "schemas"):
        for file in (ROOT / folder).rglob("*.py"):
            calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
            if any(isinstance(call.func, ast.Name) and call.func.id == "ParametrisedCode" for call in calls):
                makers.append(str(file.relative_to(ROOT)))
    assert makers == ["schemas/reason_codes.py"]
