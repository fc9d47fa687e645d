"""A hook of MkDocs: links that work on GitHub work on the site too.

Pages link to files outside of docs/. Markdown files among them become pages of their own; code and JSON become pages
that show them; folders become lists of their files. Links are rewritten to these pages, and `mkdocs build --strict`
checks that each leads somewhere.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
    "models/embedded/MODEL_CARD.md": "model-card.md",
}
"""Markdown files outside of docs/ that are in the navigation, by their paths in the repository."""

_FENCED = re.compile(r"(^```.*?^```\s*$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_LANGUAGES = {".py": "python", ".json": "json", ".toml": "toml", ".yaml": "yaml", ".java": "java", ".ts": "typescript"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of files outside of docs/."""
    waiting = [*PAGES, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    known = set(waiting)
    while waiting:
        path = waiting.pop()
        for target in _outside(path):
            if target not in known:
                known.add(target)
                waiting.append(target)
        if not path.startswith("docs/"):
            inclusion = InclusionLevel.INCLUDED if path in PAGES else InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, _page_of(path), content=_content(path), inclusion=inclusion))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links of a page in docs/; those of the others are rewritten already."""
    return _rewritten(markdown, f"docs/{page.file.src_uri}") if page.file.abs_src_path else markdown


def _outside(path: str) -> Iterator[str]:
    """What the file or the folder at `path` links to outside of docs/."""
    if (ROOT / path).is_dir():
        yield from _files_in(path)
    elif path.endswith(".md"):
        for part in _FENCED.split((ROOT / path).read_text("utf-8"))[::2]:
            for link in _LINK.finditer(part):
                target = _target(link[2], path)
                if target and not target.startswith("docs/"):
                    yield target


def _content(path: str) -> str:
    file = ROOT / path
    if file.is_dir():
        items = "".join(f"- [{Path(each).name}]({_relative(each, path)})\n" for each in _files_in(path))
        return f"# {path}\n\n{items}"
    text = file.read_text("utf-8")
    if path.endswith(".md"):
        return _rewritten(text, path)
    return f"# {path}\n\n~~~~~~ {_LANGUAGES.get(file.suffix, 'text')}\n{text}\n~~~~~~\n"


def _rewritten(markdown: str, path: str) -> str:
    """The text of the file at `path`, with links between pages of the site, and Markdown inside of its HTML."""

    def link(found: re.Match[str]) -> str:
        target = _target(found[2], path)
        return f"{found[1]}{_relative(target, path)}{found[3]}" if target else found[0]

    parts = _FENCED.split(markdown)
    parts[::2] = [_LINK.sub(link, part).replace("<details>", '<details markdown="1">') for part in parts[::2]]
    return "".join(parts)


def _target(link: str, path: str) -> str | None:
    """The path in the repository that `link` of the file at `path` leads to; None if it leads elsewhere, or nowhere."""
    if "://" in link or link.startswith("mailto:"):
        return None
    target = os.path.normpath(PurePosixPath(path).parent / link)
    return target if (ROOT / target).exists() else None


def _relative(target: str, path: str) -> str:
    """The link from the page of `path` to the page of `target`."""
    return os.path.relpath(_page_of(target), PurePosixPath(_page_of(path)).parent)


def _page_of(path: str) -> str:
    """Where the site has the file or the folder at `path`."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if (ROOT / path).is_dir():
        return f"source/{path}/index.md"
    return PAGES.get(path) or f"source/{path}" + ("" if path.endswith(".md") else ".md")


def _files_in(folder: str) -> list[str]:
    return sorted(f"{folder}/{each.name}" for each in (ROOT / folder).iterdir() if each.is_file())
