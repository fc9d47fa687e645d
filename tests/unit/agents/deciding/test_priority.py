"""A model that stands back computes in threads of a higher nice value, and its callers do not."""

import os
import threading
from pathlib import Path

from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import load_settings
from tests.support.compiled import compiled_tiny


def nice_values() -> dict[int, int]:
    threads = [int(thread.name) for thread in Path("/proc/self/task").iterdir()]
    return {thread: os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}


def test_the_threads_of_a_model_that_stands_back_have_a_higher_nice_value(tmp_path: Path) -> None:
    folder = compiled_tiny(tmp_path / "model", "embedded")
    own, before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), nice_values()
    engine = load_engine(load_settings(model=folder, nice=3))
    started = {nice for thread, nice in nice_values().items() if thread not in before}
    assert started == {own + 3}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
    assert engine.replicas == 1
