"""The environment variables with which the process of a worker or server must start, because libraries read them once.

glibc keeps freed memory, which makes the engine faster. The engine copies its key-value cache at every step, in blocks
so large that glibc maps and unmaps each one, and the page faults cost more than the arithmetic. If glibc keeps memory,
in huge pages, the engine is faster, but freed memory is not returned to the system. All threads share two heaps. With
one for each thread, two copies of Qwen3-0.6B's shape needed a quarter more memory, and the kernel five times the time
to clear pages. With only one, the threads of a second model held its lock while they stood back, and the event loop
waited: the p99 of what the first model decides alone was 200 to 300 ms with one heap, 100 to 105 with two.

NumPy's OpenBLAS uses one thread. Our products are so small that its other threads mostly wait for work, and they wait
by running: up to 0.3 cores in a worker with two models.
"""

import os
import sys
from typing import Final

_KEEP_MEMORY: Final = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=100000000000:"
    "glibc.malloc.top_pad=67108864:glibc.malloc.arena_max=2"
)
START_ENVIRONMENT: Final = {"GLIBC_TUNABLES": _KEEP_MEMORY, "OPENBLAS_NUM_THREADS": "1"}
"""The fastest settings measured. A variable that is already set takes precedence."""


def restart_with_environment() -> None:
    """Start this process again with the missing variables of `START_ENVIRONMENT`. Returns only if none is missing."""
    missing = {name: value for name, value in START_ENVIRONMENT.items() if name not in os.environ}
    if not missing or not sys.platform.startswith("linux"):
        return
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **missing})  # noqa: S606 - ourselves
