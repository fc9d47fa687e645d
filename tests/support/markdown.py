"""The fenced blocks and links of a Markdown file, for the tests of the documentation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^ *```(\w*) *$")
_COMMENT = re.compile(r"^ *<!-- (.*) -->$")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block; `comment` is the HTML comment on the line before it."""

    file: Path
    line: int
    language: str
    text: str
    comment: str | None


def blocks_of(file: Path) -> Iterator[Block]:
    """Every fenced block of `file`, in order."""
    lines = file.read_text("utf-8").splitlines()
    opened: int | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if not fence:
            continue
        if opened is None:
            opened = number
            continue
        head = _FENCE.match(lines[opened])
        before = _COMMENT.match(lines[opened - 1]) if opened else None
        indent = len(lines[opened]) - len(lines[opened].lstrip())
        body = "\n".join(text[indent:] for text in lines[opened + 1 : number])
        yield Block(file, opened + 1, head.group(1) if head else "", body, before.group(1) if before else None)
        opened = None


def links_of(file: Path) -> Iterator[str]:
    """The target of every link of `file` that stands outside a fenced block."""
    inside = False
    for line in file.read_text("utf-8").splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            yield from _LINK.findall(line)


def anchors_of(file: Path) -> set[str]:
    """The anchors that GitHub makes of the headings of `file`."""
    headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
