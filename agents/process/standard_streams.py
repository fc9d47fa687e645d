"""The standard streams of a worker that was started without them, as in `sluice worker >&-`.

The system gives the lowest free number to whatever a process opens next. A Kafka connection could become descriptor 2,
and get what a library writes to standard error; and libuv aborts the process when it closes a descriptor below 3.
"""

import os
from typing import Final

_STDERR: Final = 2


def open_missing_streams() -> None:
    """Open ``/dev/null`` in place of standard streams that are closed. Call it before anything is opened."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
