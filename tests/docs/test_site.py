"""The documentation as a site: it builds strictly, has every page, and loads nothing from elsewhere."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
LOADED = {"script": "src", "link": "href", "img": "src"}


def build(root: Path, site: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built from this checkout."""
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT, folder)
    assert built.returncode == 0, built.stderr
    return folder


class _Page(HTMLParser):
    """What a page loads, and where it links to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.navigation: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if (address := given.get(LOADED.get(tag, ""))) and given.get("rel") != "canonical":
            self.loaded.append(address)
        if tag == "a" and (target := given.get("href")):
            self.links.append(target)
            if "md-nav__link" in (given.get("class") or ""):
                self.navigation.append(target)


def test_every_document_is_in_the_navigation(site: Path) -> None:
    navigation = {link.strip("./") for link in _Page(site / "index.html").navigation}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - navigation == set()


def test_every_link_of_every_page_leads_to_a_page_of_the_site(site: Path) -> None:
    broken = []
    for page in site.rglob("index.html"):
        for link in _Page(page).links:
            target, _, anchor = unquote(link).partition("#")
            if "://" in target or target.startswith(("mailto:", "/")):
                continue
            file = (page.parent / target).resolve() if target else page
            file = file / "index.html" if file.is_dir() else file
            if not file.exists() or (anchor and file.suffix == ".html" and f'id="{anchor}"' not in file.read_text()):
                broken.append(f"{page.relative_to(site)}: {link}")
    assert broken == []


def test_a_link_to_code_leads_to_a_page_that_shows_it(site: Path) -> None:
    page = (site / "source" / "schemas" / "codec.py" / "index.html").read_text()
    assert "decode_raw_query" in re.sub("<[^>]+>", "", page)
    assert "../source/schemas/codec.py/" in _Page(site / "architecture" / "index.html").links


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    assert [loaded for page in site.rglob("index.html") for loaded in _Page(page).loaded if "//" in loaded] == []


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path) -> None:
    for name in ("docs", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "mkdocs.yml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for name in ("examples/README.md", "models/embedded/MODEL_CARD.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "docs" / "glossary.md").open("a") as page:
        page.write("\n[nowhere](nowhere.md) [no heading](http.md#no-such-heading)\n")
    built = build(tmp_path, tmp_path / "site")
    assert built.returncode != 0
    assert "nowhere.md" in built.stderr
    assert "no-such-heading" in built.stderr
