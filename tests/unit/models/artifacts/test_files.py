"""Files that are written whole or not at all."""

import os
import resource
from pathlib import Path

import pytest

from sluicegate.models.artifacts.files import copy_folder, open_regular, read_json_bytes, write_atomically


def test_a_write_that_fails_keeps_the_old_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # a longer write fails, as on a full disk
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"x" * 500)
    (source / "b").write_bytes(b"x" * 2000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            copy_folder(source, tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [source]


def test_a_folder_that_exists_is_never_mixed_with_a_copy(tmp_path: Path) -> None:
    source, taken = tmp_path / "source", tmp_path / "taken"
    for folder in (source, taken):
        folder.mkdir()
        (folder / folder.name).write_bytes(b"x")
    with pytest.raises(OSError, match="not empty"):
        copy_folder(source, taken)
    assert [path.name for path in taken.iterdir()] == ["taken"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("kind", ["pipe", "device", "directory", "loop", "nothing"])
def test_what_is_no_file_is_refused_without_waiting(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    for read in (open_regular, read_json_bytes):
        with pytest.raises(OSError, match=path.name):
            read(path)
