"""Free loopback ports for servers that must know their port before they start."""

import os
import random
import socket

_RANGE = range(15_000, 32_000)
"""Below the ports that Linux gives to outgoing connections, which would otherwise take one before its server binds."""

_random = random.Random(os.getpid())


def free_ports(count: int) -> list[int]:
    """`count` ports that nobody listens on. Test processes that run side by side choose at random."""
    chosen: list[int] = []
    while len(chosen) < count:
        port = _random.choice(_RANGE)
        if port not in chosen and _is_free(port):
            chosen.append(port)
    return chosen


def free_port() -> int:
    """One port that nobody listens on."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
