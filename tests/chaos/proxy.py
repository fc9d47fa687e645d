"""TCP proxies between workers and brokers, which can cut connections or delay data. They never change a byte."""

import asyncio
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

_CHUNK: Final = 65_536


class Proxies:
    """A proxy for each of `routes`, from the port that it listens on to a broker's port. They share one thread."""

    def __init__(self, routes: Mapping[int, int]) -> None:
        self._routes = routes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._lines: set[asyncio.StreamWriter] = set()
        self._cut = False
        self._delay_s = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        for port, behind in self._routes.items():
            asyncio.run_coroutine_threadsafe(self._listen(port, behind), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Break every connection, and refuse new ones until `restore`."""
        self._cut = True
        self._loop.call_soon_threadsafe(self._drop_all)

    def slow(self, delay_s: float) -> None:
        """Delay every chunk of data until `restore`."""
        self._delay_s = delay_s

    def restore(self) -> None:
        """Accept connections again, and forward data without delay."""
        self._cut, self._delay_s = False, 0.0

    def _drop_all(self) -> None:
        for line in self._lines:
            line.transport.abort()

    async def _listen(self, port: int, behind: int) -> None:
        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._cut:
                writer.transport.abort()
                return
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", behind)
            except OSError:  # the broker is down
                writer.transport.abort()
                return
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))

        self._servers.append(await asyncio.start_server(connect, "127.0.0.1", port))

    async def _shut(self) -> None:
        for server in self._servers:
            server.close()
        self._drop_all()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            while data := await reader.read(_CHUNK):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            self._lines.discard(writer)
            writer.close()
