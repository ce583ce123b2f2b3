"""Ports that nobody has."""

from __future__ import annotations

import random
import socket
from typing import Final

from esl_agent.errors import EslAgentError

LOOPBACK: Final = "127.0.0.1"
#: Below the range that systems give to outgoing connections, so that one of these does not take ours.
LOWEST: Final = 16_000
HIGHEST: Final = 32_000
TRIES_MAX: Final = 1_000

#: Some are taken into use long after they were found: no port is given twice.
_given: Final[set[int]] = set()


class NoPort(EslAgentError):
    """No port was found free."""


def free_port() -> int:
    """A port of 127.0.0.1 that is free for TCP and UDP, and that nobody else here is given."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of `count` such ports in a row; it is even, as RTP wants."""
    for _ in range(TRIES_MAX):
        first = random.randrange(LOWEST, HIGHEST - count, 2)  # noqa: S311  no secret
        row = range(first, first + count)
        if _given.isdisjoint(row) and all(is_free(port) for port in row):
            _given.update(row)
            return first
    raise NoPort(f"no {count} ports in a row are free on {LOOPBACK} between {LOWEST} and {HIGHEST}")


def is_free(port: int) -> bool:
    """Whether neither TCP nor UDP has `port` of 127.0.0.1."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True
