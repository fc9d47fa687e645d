"""Faust's consumer (0.15.3), made safe where its rebalances lose events or repeat them.

Seeks. When Faust resumes after a rebalance it goes back to the committed offsets (`perform_seek`), at times while a
batch that was fetched before is still being handed over, since one rebalance may begin while the last one resumes. The
rest of that batch lies beyond the position that was sought: Faust takes what is between for a gap of the log, drops it
when it comes ("DROPPED MESSAGE ROFF"), and commits past it. Here a batch ends at a seek: what is left of it is not
handed over, and one more seek makes sure that it comes again. And a partition of which nothing is committed, which
aiokafka would leave where it stands, goes back to its beginning.

Commits. One that finds another under way waits for it and does nothing; here it goes on to commit what was acked
meanwhile. Before partitions are given away Faust forgets what was acked in them, then waits for what is in flight and
commits; and while it stops, it does neither. Here it waits and commits first, always. Otherwise a second's worth of
events would come twice at every rebalance.
"""

from collections.abc import AsyncIterator
from typing import Any

import faust
from faust.transport.drivers import aiokafka


class _Consumer(aiokafka.Consumer):
    _seeks = 0

    async def perform_seek(self) -> None:
        self._seeks += 1
        await super().perform_seek()
        uncommitted = [partition for partition in self.assignment() if not self._committed_offset[partition]]
        if uncommitted:
            await self._thread.seek_to_beginning(*map(aiokafka.ensure_aiokafka_TP, uncommitted))
        self._seeks += 1

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109 - Faust's signature
        seeks = self._seeks
        async for partition, message in super().getmany(timeout):
            if seeks != self._seeks:
                break
            yield partition, message
        if seeks != self._seeks and self.flow_active:  # otherwise Faust seeks before it resumes
            await self.perform_seek()

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        await self.wait_empty()
        await super().on_partitions_revoked(revoked)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        while await self.maybe_wait_for_commit_to_finish():
            pass
        return bool(await super().commit(topics, start_new_transaction))


class _Transport(aiokafka.Transport):
    Consumer = _Consumer


_Consumer.logger = aiokafka.logger  # after the fact: Faust gives every class one of its module


def consume_safely(app: faust.App) -> None:
    """Make `app`, which has not started yet, consume as above."""
    app.transport = _Transport(app.conf.broker_consumer, app)
