"""A Postgres of a benchmark's own, in a folder that goes when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from esl_agent.store.embedded import EmbeddedPostgres


class Place(NamedTuple):
    """The folder is also for what else the benchmark writes; `url` is of an empty database."""

    folder: Path
    server: EmbeddedPostgres
    url: str


@contextmanager
def place() -> Iterator[Place]:
    """A server that runs."""
    with TemporaryDirectory(prefix="esl-agent-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # Postgres is another user's where this one is root
        server = EmbeddedPostgres(folder)
        try:
            server.start()
            yield Place(folder, server, server.ensure_database("bench"))
        finally:
            server.remove()
