"""Threads that stand back for others: a large second model must not take the cores from the screen.

On Linux each thread has a nice value of its own, and the threads that it starts inherit it. So a model that is loaded
in a thread of a high nice value computes in such threads, whoever calls it. The callers keep their own: a thread that
holds Python's lock must not stand back.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

LoadedT = TypeVar("LoadedT")

_HIGHEST: Final = 19


def standing_back(nice: int, load: Callable[[], LoadedT]) -> LoadedT:
    """What `load` returns, called in a thread that stands back by `nice`. Blocks, and raises what `load` raises."""

    def stand_back() -> None:
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(_HIGHEST, os.getpriority(os.PRIO_PROCESS, thread) + nice))

    with ThreadPoolExecutor(1, thread_name_prefix="loader", initializer=stand_back) as executor:
        return executor.submit(load).result()
