"""Peers that connect to a port and say nothing, until they are killed.

`python -m tests.benchmarks.idle_peers PORT COUNT`
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from typing import Final  # noqa: E402

import gevent  # noqa: E402
from gevent import socket  # noqa: E402

#: One that was turned away comes back after a pause.
PAUSE_S: Final = 2.0


def be_idle(port: int) -> None:
    """Connect and say nothing for as long as one is let, again and again."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as sock:
                while sock.recv(4_096):
                    pass
        except OSError:
            pass
        gevent.sleep(PAUSE_S)


if __name__ == "__main__":
    gevent.joinall([gevent.spawn(be_idle, int(sys.argv[1])) for _ in range(int(sys.argv[2]))])
