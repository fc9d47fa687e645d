"""The order of the checks before a worker works."""

import subprocess
import sys
import time

from tests.support.ports import free_port

PROGRAM = """
import sys
from sluicegate.agents.process import start
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.errors import BrokerUnavailable
start.PREFLIGHT_S = 2.0
try:
    start.run_worker(load_settings(), lambda settings: sys.exit("the model is loaded first"))
except BrokerUnavailable as error:
    sys.exit(f"refused: {error}")
"""


def test_a_broker_that_is_down_is_reported_before_a_model_is_loaded() -> None:
    broker, http = free_port(), free_port()
    environment = {"SLUICE_BOOTSTRAP_SERVERS": f"127.0.0.1:{broker}", "SLUICE_HTTP_PORT": str(http)}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.startswith(f"refused: cannot reach Kafka at 127.0.0.1:{broker} within 2 s: ")
    assert time.monotonic() - began > 2
