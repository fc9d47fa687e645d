"""The speller alone: its files, the time and memory to load it, and the time of a query.

    python -m benchmarks.speller

Times are CPU time: other processes on the machine do not count. Each is the median of several rounds.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.models.text.speller import SPELLER_FILE, Speller
from sluicegate.models.text.word_list import SPELLER_WORDS_FILE
from sluicegate.models.text.word_pairs import SPELLER_PAIRS_FILE

_PLAIN: Final = (
    "red running shoes women",
    "cheap flights new york",
    "kitchen table with chairs",
    "weather forecast for london",
)
_MISSPELT: Final = (
    "red runing shoes women",
    "cheap fligths new york",
    "kithcen table with chairs",
    "wether forcast for london",
)
_ROUNDS: Final = 7
_FILES: Final = (SPELLER_FILE, SPELLER_WORDS_FILE, SPELLER_PAIRS_FILE)
_LOAD: Final = """
import resource, sys, time
from pathlib import Path
import sluicegate.models.text.speller as module
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
module.Speller.load(Path(sys.argv[1]))
took = time.process_time() - started
print(took * 1e3, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def main(folder: Path) -> None:
    """Print the measurements."""
    sizes = {name: (folder / name).stat().st_size / 1e6 for name in _FILES}
    print("files", ", ".join(f"{name} {size:.2f} MB" for name, size in sizes.items()))
    loads = [_load(folder) for _ in range(_ROUNDS)]
    load_ms, memory_mb = (statistics.median(values) for values in zip(*loads, strict=True))
    print(f"load {load_ms:.0f} ms, {memory_mb:.0f} MB more at its peak")
    speller = Speller.load(folder)
    print(f"four known words: {_median_us(speller, _PLAIN, fresh=False):.1f} µs")
    print(f"one unknown word: {_median_us(speller, _MISSPELT, fresh=True):.0f} µs when it is new")
    print(f"one unknown word: {_median_us(speller, _MISSPELT, fresh=False):.0f} µs when it was seen before")


def _load(folder: Path) -> tuple[float, float]:
    finished = subprocess.run([sys.executable, "-c", _LOAD, str(folder)], capture_output=True, text=True, check=True)
    took_ms, memory_mb = map(float, finished.stdout.split())
    return took_ms, memory_mb


def _median_us(speller: Speller, queries: Sequence[str], *, fresh: bool) -> float:
    times = []
    for _ in range(_ROUNDS):
        for query in queries:
            if fresh:
                speller.forget()
            calls = 1 if fresh else 200
            started = time.process_time_ns()
            for _ in range(calls):
                speller.correct(query)
            times.append((time.process_time_ns() - started) / calls / 1e3)
    return statistics.median(times)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EMBEDDED_MODEL)
