"""The memory of a process, as Linux counts it."""

import re
from pathlib import Path


def memory_bytes(field: str, pid: int | str = "self") -> int:
    """`field` of ``/proc/PID/status`` in bytes: VmRSS is its memory now, VmHWM its peak."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0
