"""API keys in a file: one line for each, the SHA-256 of the key and a name.

    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  search-frontend

A key has 256 random bits, so its hash needs neither salt nor a slow function: nobody can guess what to hash. The keys
themselves are nowhere. A line that starts with # is a comment.
"""

import asyncio
import hmac
import logging
import os
import re
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from sluicegate.agents.deciding.fingerprint import fingerprint
from sluicegate.schemas.errors import ConfigurationError

logger = logging.getLogger(__name__)

_PREFIX: Final = "sluice-"
_KEY_BYTES: Final = 32
_LINE: Final = re.compile(r"(?P<digest>[0-9a-f]{64})\s+(?P<name>\S+)")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOOK_EVERY_S: Final = 1.0


class ApiKeys:
    """The keys that are accepted, by the names of their owners."""

    def __init__(self, digests: Mapping[str, bytes]) -> None:
        self._digests = dict(digests)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The keys in the file at `path`.

        Raises:
            ConfigurationError: it cannot be read, or a line is none of ours.
        """
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ConfigurationError(
                f"cannot read the API keys in {path}: {reason}. Make one with `sluice keys add NAME`."
            ) from None
        digests: dict[str, bytes] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            found = _LINE.fullmatch(line.strip())
            if found is None:
                raise ConfigurationError(
                    f"{path}, line {number} is not an API key: make one with `sluice keys add NAME`"
                )
            digests[found["name"]] = bytes.fromhex(found["digest"])
        return cls(digests)

    @property
    def names(self) -> list[str]:
        """The owners, in the order of the file."""
        return list(self._digests)

    def owner_of(self, key: bytes) -> str | None:
        """The name that `key` belongs to; None if it is not accepted. Takes the same time for every key."""
        digest, owner = sha256(key).digest(), None
        for name, known in self._digests.items():
            if hmac.compare_digest(known, digest):
                owner = name
        return owner


class KeyFile:
    """The keys of one file, as they are now. Used on one event loop."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ConfigurationError: it cannot be read, or a line is none of ours.
        """
        self._path = path
        self._seen = fingerprint(path)  # before it is read: a change in between is then read again
        self.keys = ApiKeys.read(path)

    async def follow(self) -> None:
        """Read the file again whenever it has changed. A file that is wrong changes nothing. Does not return."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            found = await asyncio.to_thread(fingerprint, self._path)
            if found == self._seen:
                continue
            self._seen = found
            try:
                self.keys = await asyncio.to_thread(ApiKeys.read, self._path)
            except ConfigurationError as error:
                logger.error("the API keys stay as they were: %s", error)
            else:
                logger.info("API keys: %s", ", ".join(self.keys.names) or "none")


def add_key(path: Path, name: str) -> str:
    """Make a key for `name`, write its hash into the file at `path`, and return the key: it is shown once.

    Raises:
        ConfigurationError: the name is taken or has other characters than letters, digits, `.`, `_` and `-`; or the
            file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"an API key's name has 1 to 64 letters, digits, `.`, `_` and `-`, not {name!r}")
    if path.exists() and name in ApiKeys.read(path).names:
        raise ConfigurationError(f"{path} has a key for {name}: choose another name, or delete that line first")
    key = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    line = f"{sha256(key.encode()).hexdigest()}  {name}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from None
    return key
