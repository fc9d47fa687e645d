"""Noticing that files have changed, without reading them."""

from pathlib import Path
from typing import TypeAlias

Fingerprint: TypeAlias = frozenset[tuple[str, int, int, int]]


def fingerprint(path: Path) -> Fingerprint:
    """Identifies the state of the file at `path`, or of the files in that folder. Empty if it is missing."""
    try:
        found = list(path.iterdir()) if path.is_dir() else [path]
        states = [(each.name, each.stat()) for each in found]
    except OSError:
        return frozenset()
    return frozenset((name, state.st_ino, state.st_size, state.st_mtime_ns) for name, state in states)
