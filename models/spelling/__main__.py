"""``python -m sluicegate.models.spelling``: build and train the speller's files."""

import argparse
import sys
from pathlib import Path

from sluicegate.models.spelling.build import build


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(prog="python -m sluicegate.models.spelling", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of JSON Lines files, with lists/")
    parser.add_argument("--dictionaries", type=Path, required=True, help="folder of word lists, see SPELLING.md")
    parser.add_argument("--out", type=Path, required=True, help="folder of the compiled model")
    arguments = parser.parse_args()
    build(arguments.data, arguments.dictionaries, arguments.out, lambda line: print(line, file=sys.stderr))  # noqa: T201


if __name__ == "__main__":
    main()
