"""Node.js for the tests: the packages of a folder with a lock file, installed by npm into .cache/."""

import fcntl
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from tests.support.required import give_up

TOOLS = Path(__file__).parent / "npm"
"""The packages that the tests themselves use."""
CACHE = Path(__file__).parents[2] / ".cache" / "npm"
INSTALL_TIMEOUT_S = 300


def node_modules(folder: Path) -> Path:
    """Where the packages of `folder` are. They are installed once for each lock file.

    Skips the test where Node.js is missing or npm cannot install, or fails it if REQUIRE_NODE is 1, as in CI.
    """
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        give_up("REQUIRE_NODE", f"{' and '.join(missing)} not installed: apt-get install nodejs npm")
    files = [folder / name for name in ("package.json", "package-lock.json")]
    installed = CACHE / sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    installed.mkdir(parents=True, exist_ok=True)
    with (installed / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in several processes
        if not (installed / ".complete").exists():
            for file in files:
                shutil.copy(file, installed)
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
            done = subprocess.run(
                command, cwd=installed, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
            )
            if done.returncode != 0:
                give_up("REQUIRE_NODE", f"npm cannot install the packages of {folder}: {done.stdout}{done.stderr}")
            (installed / ".complete").touch()
    return installed / "node_modules"
