"""Services of docker-compose.yml as processes of this machine.

Each service has a loopback address of its own, so its ports stay as they are. A host name in a configuration file or in
an environment variable becomes that address, and 0.0.0.0 the address of the service that listens.
"""

import os
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
_services: Final[Mapping[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


class Compose:
    """The services, with addresses that no other process of the tests has."""

    def __init__(self, servers: Mapping[str, str]) -> None:
        """`servers` are services that run elsewhere: `host:port` in the file, and where that is."""
        block = random.Random(os.getpid()).randrange(256 * 256)
        network = f"127.{100 + block % 100}.{block // 256}"
        self._addresses = {name: f"{network}.{number}" for number, name in enumerate(_services, 1)}
        self._servers = servers

    def address(self, service: str) -> str:
        """The address of a service."""
        return self._addresses[service]

    def environment(self, service: str) -> dict[str, str]:
        """The environment variables that the file gives to a service."""
        return {name: self._mapped(service, value) for name, value in _services[service]["environment"].items()}

    def configuration(self, service: str, mounted_at: str) -> str:
        """The text of the configuration file that is mounted at a path in a service's container."""
        mounts = dict(reversed(volume.removesuffix(":ro").split(":")) for volume in _services[service]["volumes"])
        return self._mapped(service, (ROOT / mounts[mounted_at]).read_text())

    def _mapped(self, service: str, text: str) -> str:
        for written, real in self._servers.items():
            text = text.replace(written, real)
        for name, address in self._addresses.items():
            text = re.sub(rf"(?<![\w.-]){name}:(?=\d)", f"{address}:", text)
        return text.replace("0.0.0.0", self.address(service))
