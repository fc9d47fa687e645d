"""A policy file is read whole or refused, with the key or the line of each mistake."""

from pathlib import Path

import pytest

from sluicegate.models.inference.labels import Category
from sluicegate.models.policy.policy_file import PolicyFile, files_of_policy, read_policy
from sluicegate.models.policy.term_lists import Action
from sluicegate.schemas.errors import ExitCode, PolicyFileError
from sluicegate.schemas.events import Threshold

GOOD = """
name = "toy-shop"
sum_bound = 0.5

[thresholds.sexual]
allow = 0.1
block = 0.4

[surface.kids]
sum_bound = 0.2
thresholds.violence = { allow = 0.05, block = 0.3 }

[list.slurs]
action = "block"
category = "hate"
file = "slurs.txt"
terms = ["Inline Term"]

[list.pride]
action = "allow"
surface = "kids"
terms = ["gay pride"]
"""


def written(folder: Path, text: str, **files: str) -> Path:
    for name, content in files.items():
        (folder / f"{name}.txt").write_text(content)
    path = folder / "policy.toml"
    path.write_text(text)
    return path


def read(folder: Path, text: str, **files: str) -> PolicyFile:
    return read_policy(written(folder, text, **files))


def test_all_that_a_file_says_is_read(tmp_path: Path) -> None:
    policy = read(tmp_path, GOOD, slurs="# a comment\n\n  First  \n\ufeffsecond phrase\n")
    assert policy.name == "toy-shop"
    assert policy.bounds.sum_bound == 0.5
    assert policy.bounds.thresholds == {Category.SEXUAL: Threshold(allow=0.1, block=0.4)}
    assert policy.surfaces["kids"].sum_bound == 0.2
    pride, slurs = policy.lists
    assert (pride.action, pride.surface, pride.category) == (Action.ALLOW, "kids", None)
    assert (slurs.action, slurs.category) == (Action.BLOCK, Category.HATE)
    assert slurs.terms == ("Inline Term", "First", "\ufeffsecond phrase")


def test_the_version_changes_with_the_content_and_with_nothing_else(tmp_path: Path) -> None:
    before = read(tmp_path, GOOD, slurs="one\n").version
    assert before.startswith("toy-shop@")
    assert len(before) == len("toy-shop@") + 12
    assert read(tmp_path, f"# a comment\n{GOOD}", slurs="# more\none\n\n").version == before
    head, pride = GOOD.split("[list.pride]")
    slurs = head[head.index("[list.slurs]") :]
    reordered = head.replace(slurs, "") + "[list.pride]" + pride + slurs
    assert read(tmp_path, reordered, slurs="one\n").version == before
    changed = {
        read(tmp_path, GOOD, slurs="two\n").version,
        read(tmp_path, GOOD.replace("0.05", "0.06"), slurs="one\n").version,
        read(tmp_path, GOOD.replace("gay pride", "pride"), slurs="one\n").version,
        read(tmp_path, GOOD.replace('"allow"', '"review"\ncategory = "hate"'), slurs="one\n").version,
    }
    assert len(changed - {before}) == 4


LIST = '[list.slurs]\naction = "block"\ncategory = "hate"\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('name = "x" y', "is not TOML: .*line 1"),
        ("sum_bound = 0.4", "the key `name` is missing"),
        ('name = "a/b"', "^[^ ]*policy.toml: name: "),
        ('name = "x"\nthreshold = 1', "at the top: unknown key `threshold`: use thresholds, sum_bound, name, second"),
        ('name = "x"\nsum_bound = "high"', r"sum_bound: Expected `float`, got `str`"),
        ('name = "x"\n[thresholds.rude]\nallow = 0\nblock = 1', "thresholds: there is no category 'rude', only hate"),
        (
            'name = "x"\n[thresholds]\nhate = { allow = 0.5, block = 0.4 }',
            r"thresholds: threshold of 'hate': block \(0.4\) must not be below allow \(0.5\)",
        ),
        (
            'name = "x"\n[surface.kids.thresholds]\nhate = { allow = 0.5, block = 0.4 }',
            r"surface.kids.thresholds: threshold of 'hate': block",
        ),
        (
            'name = "x"\n[thresholds]\nhate = { allow = 0.5, block = 0.6, blok = 1 }',
            "thresholds.hate: unknown key `blok`: use allow, block",
        ),
        ('name = "x"\n[surface.kids]\nlists = 1', "surface.kids: unknown key `lists`: use thresholds, sum_bound"),
        ('name = "x"\nsurface = 1', r"surface: write tables such as \[surface.NAME\]"),
        ('name = "x"\n[list.Slurs]\naction = "block"', "list.Slurs: "),
        ('name = "x"\n[list.slurs]\nterms = ["a"]', "list.slurs: the key `action` is missing"),
        ('name = "x"\n[list.slurs]\naction = "deny"', "list.slurs.action: 'deny' is unknown: use block, review, allow"),
        ('name = "x"\n[list.slurs]\naction = "block"\nterms = ["a"]', "list.slurs: .* needs a category"),
        (f'name = "x"\n{LIST}', "list.slurs: it has no terms"),
        (f'name = "x"\n{LIST}terms = ["a", 3]', r"list.slurs.terms\[1\]: Expected `str`, got `int`"),
        (f'name = "x"\n{LIST}terms = ["a", " - "]', r"list.slurs.terms\[1\]: the term is empty"),
        (f'name = "x"\n{LIST}terms = ["É x", "e-X"]', r"terms\[1\]: 'e-X' is a duplicate of list.slurs.terms\[0\]"),
        (f'name = "x"\n{LIST}terms = ["{"a" * 201}"]', "has 201 characters, 200 are allowed"),
        (f'name = "x"\n{LIST}file = "../secret"', "list.slurs.file: "),
        (f'name = "x"\n{LIST}file = "missing.txt"', "list.slurs.file: cannot read .*missing.txt: No such file"),
        (f'name = "x"\n{LIST}file = "terms.txt"', "terms.txt, line 4: 'Two' is a duplicate of terms.txt, line 2"),
        (
            f'name = "x"\n{LIST}terms = ["Gay"]\n[list.fine]\naction = "allow"\nterms = ["gay"]',
            "list.fine says allow and list.slurs says block for 'Gay'",
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text, terms="one\ntwo\n# two\nTwo\n")
    with pytest.raises(PolicyFileError, match=named) as caught:
        read_policy(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.CONFIG


def test_several_mistakes_are_named_at_once_and_the_rest_is_counted(tmp_path: Path) -> None:
    terms = ", ".join('"-"' for _ in range(9))
    with pytest.raises(PolicyFileError, match=r"terms\[0\].*; .*terms\[4\].*; and 4 more$"):
        read(tmp_path, f'name = "x"\n{LIST}terms = [{terms}]')


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match=r"cannot read the policy .*nowhere.toml: No such file"):
        read_policy(tmp_path / "nowhere.toml")
    (tmp_path / "bytes.txt").write_bytes(b"\xff")
    with pytest.raises(PolicyFileError, match=r"bytes\.txt is not UTF-8"):
        read(tmp_path, f'name = "x"\n{LIST}file = "bytes.txt"')


def test_a_hostile_key_cannot_write_to_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError) as caught:
        read(tmp_path, 'name = "x"\n[list."\\u001b[31m\\n"]\naction = "block"')
    assert str(caught.value).isprintable()


def test_one_term_may_be_in_lists_of_different_surfaces(tmp_path: Path) -> None:
    text = f'name = "x"\n{LIST}surface = "kids"\nterms = ["beer"]\n[list.fine]\naction = "allow"\nterms = ["beer"]'
    assert [each.name for each in read(tmp_path, text).lists] == ["fine", "slurs"]


def test_the_files_of_a_policy_are_known_even_if_one_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert files_of_policy(path) == [path, tmp_path / "slurs.txt"]
    path.write_text("broken =")
    assert files_of_policy(path) == [path]
