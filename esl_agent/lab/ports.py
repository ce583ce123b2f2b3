"""Ports that nobody has.

Many are taken into use long after they were found: a switch opens one for each
call's sound, and where somebody else has it meanwhile answers the call with 488.
So a process has blocks of ports to itself: each is a file that it keeps locked.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

from esl_agent.errors import EslAgentError

LOOPBACK: Final = "127.0.0.1"
#: Below the range that systems give to outgoing connections, so that one of these does not take ours.
LOWEST: Final = 16_000
HIGHEST: Final = 32_000
#: Ports that a process takes at once, for itself alone.
BLOCK_PORTS: Final = 250
#: TCP and UDP.
BOTH: Final = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
BLOCKS: Final = (HIGHEST - LOWEST) // BLOCK_PORTS

#: No port is given twice.
_given: Final[set[int]] = set()
#: Our blocks, by their first port; each stays ours until this process ends.
_ours: Final[dict[int, TextIO]] = {}


class NoPort(EslAgentError):
    """No port was found free."""


def free_port() -> int:
    """A port of 127.0.0.1 that is free for TCP and UDP, and that nobody else here is given."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of `count` such ports in a row, 250 at most; of several the first is even, as RTP wants."""
    for block in _blocks():
        for first in range(block, block + BLOCK_PORTS - count + 1, min(count, 2)):
            row = range(first, first + count)
            if _given.isdisjoint(row) and all(is_free(port) for port in row):
                _given.update(row)
                return first
    raise NoPort(f"no {count} ports in a row are free on {LOOPBACK} between {LOWEST} and {HIGHEST}")


def free_row(count: int) -> int:
    """As `free_ports`, for UDP alone and however many: a row of whole blocks."""
    blocks = -(-count // BLOCK_PORTS)
    starts = [LOWEST + number * BLOCK_PORTS for number in range(BLOCKS - blocks + 1)]
    random.shuffle(starts)
    for first in starts:
        row = range(first, first + blocks * BLOCK_PORTS, BLOCK_PORTS)
        if not any(block in _ours for block in row) and all(_take(block) for block in row):
            ports = range(first, first + count)
            if all(is_free(port, [socket.SOCK_DGRAM]) for port in ports):
                _given.update(ports)
                return first
    raise NoPort(f"no {count} ports in a row are free on {LOOPBACK} between {LOWEST} and {HIGHEST}")


def _blocks() -> Iterator[int]:
    """Where our blocks begin; when they are used up, those of more."""
    yield from tuple(_ours)
    others = [LOWEST + number * BLOCK_PORTS for number in range(BLOCKS)]
    random.shuffle(others)
    for block in others:
        if block not in _ours and _take(block):
            yield block


def _take(block: int) -> bool:
    """Whether the block is ours from now on."""
    folder = Path(tempfile.gettempdir(), f"esl-agent-ports-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    file = (folder / str(block)).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _ours[block] = file
    return True


def is_free(port: int, kinds: Sequence[socket.SocketKind] = BOTH) -> bool:
    """Whether neither TCP nor UDP, or none of `kinds`, has `port` of 127.0.0.1."""
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True
