"""The folder that the demo lives in."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final

from demo.errors import DemoError
from demo.switch import Switch
from esl_agent.lab.ports import free_port
from esl_agent.store.embedded import EmbeddedPostgres

LOCK: Final = "lock"
LOCAL_SECRET_BYTES: Final = 16
CONFIG: Final = """\
# Written by the demo; etc/esl-agent.toml explains every setting.
[database]
url = {url}

[switch]
host = {host}
port = {port}
password = {password}

[admission]
outbound_port = {admission_port}
local_socket = "127.0.0.1:{local_port}"
local_secret = "{local_secret}"

[cdr_files]
folder = {cdr_folder}
every_s = 1
settle_after_s = 2
when_done = "keep"

[journal]
folder = {journal}

[limits]
drain_s = 2

[web]
port = {web_port}

[log]
format = "{log_format}"
"""


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """The folder, empty, and nobody else's while the demo runs; raises DemoError where it can't be had."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise DemoError(f"{folder} can't be written ({error.strerror}): is it another user's?") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"a demo runs already in {folder}: end that one with Ctrl-C") from None
        _sweep(folder)
        yield folder


def write_config(path: Path, database_url: str, switch: Switch, log_format: str) -> None:
    """The daemon's configuration, as an operator would write it; it holds a password."""
    text = CONFIG.format(
        url=json.dumps(database_url),
        host=json.dumps(switch.host),
        port=switch.port,
        password=json.dumps(switch.password),
        admission_port=switch.admission_port,
        local_port=free_port(),
        web_port=free_port(),
        local_secret=token_hex(LOCAL_SECRET_BYTES),
        cdr_folder=json.dumps(str(switch.cdr_folder or "")),
        journal=json.dumps(str(path.parent / "journal")),
        log_format=log_format,
    )
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _sweep(folder: Path) -> None:
    """Remove what an earlier demo left, also a server that it had no chance to stop."""
    EmbeddedPostgres(folder).remove()
    for entry in folder.iterdir():
        if entry.name == LOCK:
            continue
        try:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        except OSError as error:
            raise DemoError(
                f"{error.filename} can't be removed ({error.strerror}): remove {folder}"
            ) from None
