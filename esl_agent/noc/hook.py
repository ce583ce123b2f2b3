"""Runs a command of the operator's that is told of something: no shell, and no longer than it may take."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from esl_agent.errors import EslAgentError

HOOK_TIMEOUT_S: Final = 30
#: What the command prints goes where our own errors go: our output is a log, or somebody's JSON.
STDERR: Final = 2


class HookError(EslAgentError):
    """The command could not be run, failed, or took too long."""


def run_hook(command: Sequence[str], text: str = "", timeout_s: float = HOOK_TIMEOUT_S) -> None:
    """Run it with `text` as its input, and wait for its end; raises HookError.

    The input is a file in memory: gevent waits without a limit for the end of
    a command that it has written to.
    """
    try:
        with os.fdopen(os.memfd_create("told"), "w+b") as told:
            told.write(text.encode())
            told.seek(0)
            _run(command, told.fileno(), timeout_s)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise HookError(str(error)) from None


def _run(command: Sequence[str], stdin: int, timeout_s: float) -> None:
    # In a session of its own, so that what it started can be ended with it.
    with subprocess.Popen(  # noqa: S603  (the operator's own configuration says what)
        command, stdin=stdin, stdout=STDERR, start_new_session=True
    ) as process:
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise HookError(f"it took longer than {timeout_s:g} s and was ended") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if status:
        raise HookError(f"it ended with status {status}")
