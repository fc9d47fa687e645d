"""Opening our SQLite databases, recognising them, and writing them so that nothing committed is lost.

WAL with `synchronous=FULL`: what was committed survives a power failure (https://sqlite.org/pragma.html#pragma_synchronous).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from sluicegate.schemas.errors import ConfigurationError, SluicegateError

_CHECKPOINT_PAGES: Final = 256
_LARGEST_LOG: Final = 1 << 20
_BUSY_S: Final = 30.0
"""How long a transaction waits for the one of another process."""


@dataclass(frozen=True)
class DatabaseKind:
    """One kind of database: `name` and `setting` are for messages, `failure` is the error when it cannot be used."""

    name: str
    setting: str
    application_id: int
    format: int
    """Version of `schema`."""
    schema: str
    """Statements, each ended by a semicolon and a line feed."""
    failure: type[SluicegateError]

    def open_for_writing(self, path: Path) -> sqlite3.Connection:
        """The database at `path`, which is made if the file is missing or empty. Threads may share the connection.

        Raises:
            sqlite3.Error: it cannot be opened, or is corrupt.
            ConfigurationError: it is a database of another kind.
        """
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            made = self._is_in(connection, path)  # first: a file of another kind stays as it is
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit={_LARGEST_LOG}")
            if not made:
                with transaction(connection):
                    if not self._is_in(connection, path):  # another process may have made it meanwhile
                        self._make(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def open_for_reading(self, path: Path) -> Iterator[sqlite3.Connection]:
        """The database at `path`, which other processes may be using.

        Raises:
            SluicegateError: `failure`: there is none, or it is corrupt, or it cannot be read.
            ConfigurationError: it is of another kind.
        """
        try:
            path.open("rb").close()  # SQLite says only that it cannot open it
        except OSError as error:
            raise self.failure(f"cannot read the {self.name} {path}: {error.strerror}") from None
        with (
            self.errors(path),
            closing(
                sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None)
            ) as connection,
        ):
            if not self._is_in(connection, path):
                raise ConfigurationError(f"{path} is empty: nothing was ever added to it")
            yield connection

    @contextmanager
    def errors(self, path: Path) -> Iterator[None]:
        """Turn errors of SQLite and of the file system into `failure`."""
        try:
            yield
        except sqlite3.Error as error:
            reason = f"it is corrupt: {error}" if is_corrupt(error) else str(error)
            raise self.failure(f"cannot use the {self.name} {path}: {reason}") from error
        except OSError as error:
            raise self.failure(f"cannot use the {self.name} {path}: {error.strerror or error}") from error

    def _make(self, connection: sqlite3.Connection) -> None:
        for statement in self.schema.strip().split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={self.application_id}")
        connection.execute(f"PRAGMA user_version={self.format}")

    def _is_in(self, connection: sqlite3.Connection, path: Path) -> bool:
        """Whether the database is of this kind; False if there is nothing in it.

        Raises:
            ConfigurationError: it is something else, or of another version.
        """
        if not number(connection, "PRAGMA schema_version"):
            return False
        if number(connection, "PRAGMA application_id") != self.application_id:
            raise ConfigurationError(
                f"{path} is a database, but not a {self.name}: choose another file ({self.setting})"
            )
        version = number(connection, "PRAGMA user_version")
        if version != self.format:
            raise ConfigurationError(
                f"{path} is a {self.name} of format {version}; this version of Sluicegate reads {self.format}"
            )
        return True


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that writes: committed and on disk at the end of the block, or rolled back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have ended it already
            connection.execute("ROLLBACK")
        raise


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether the file is damaged, or is no database."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_full(error: sqlite3.Error) -> bool:
    """Whether the database has reached its size, or the disk is full."""
    return _code(error) == sqlite3.SQLITE_FULL


def find_damage(connection: sqlite3.Connection, *, thorough: bool) -> str | None:
    """What is wrong with the database's structure, in one line; None if nothing is. `thorough` checks indexes too."""
    rows = connection.execute(f"PRAGMA {'integrity' if thorough else 'quick'}_check(3)").fetchall()
    problems = [str(row[0]).replace("\n", " ") for row in rows]
    return None if problems == ["ok"] else "; ".join(problems)


def used_bytes(connection: sqlite3.Connection) -> int:
    """The bytes of the pages that hold something."""
    pages, free, size = (number(connection, f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def number(connection: sqlite3.Connection, query: str) -> int:
    """The number that `query` gives; 0 for none."""
    row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _code(error: sqlite3.Error) -> int | None:
    code = cast("int | None", getattr(error, "sqlite_errorcode", None))
    return None if code is None else code & 0xFF  # without the part that says where it happened
