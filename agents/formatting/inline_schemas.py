"""Schemas that come with their text. They are untrusted: bounded, compiled off the event loop, and kept by their hash.

One is compiled at a time, in a thread of its own: whoever sends expensive schemas delays other new schemas, and neither
the event loop nor those that are known.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any, Final

from cachetools import LRUCache

from sluicegate.models.formatting.compact import compact_json
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.errors import SchemaRefused

_KEPT: Final = 256
"""How many schemas, or their refusals, are kept."""


class InlineSchemas:
    """Compiles schemas. Used on one event loop."""

    def __init__(self) -> None:
        self._kept: LRUCache[bytes, FormatSchema | SchemaRefused] = LRUCache(_KEPT)
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="schema")

    async def compile(self, document: Mapping[str, Any]) -> FormatSchema:
        """The schema in `document`, a JSON document. Cancelling the caller gives up its turn.

        Raises:
            SchemaRefused: it cannot be followed; names the path and the keyword.
        """
        source = _compact(document)
        key = blake2b(source, digest_size=32).digest()
        if key not in self._kept:
            async with self._turn:
                if key not in self._kept:  # compiled meanwhile
                    loop = asyncio.get_running_loop()
                    self._kept[key] = await loop.run_in_executor(self._thread, _compiled, source)
        compiled = self._kept[key]
        if isinstance(compiled, SchemaRefused):
            raise SchemaRefused(compiled.reason, path=compiled.path, keyword=compiled.keyword)
        return compiled

    def close(self) -> None:
        """End the thread once the schema that it compiles is done."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _compact(document: Mapping[str, Any]) -> bytes:
    try:
        return compact_json(document)
    except (ValueError, RecursionError):  # a lone surrogate, or a number that JSON cannot hold
        raise SchemaRefused("the schema holds what JSON cannot express, or is nested too deeply") from None


def _compiled(source: bytes) -> FormatSchema | SchemaRefused:
    try:
        return FormatSchema.from_json(source)
    except SchemaRefused as error:
        return error
