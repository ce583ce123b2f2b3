"""Runs a command of the operator's that is told of something: no shell, and no longer than it may take."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

from esl_agent.errors import EslAgentError

HOOK_TIMEOUT_S: Final = 30
#: What the command prints goes where our own errors go: our output is a log, or somebody's JSON.
STDERR: Final = 2


class HookError(EslAgentError):
    """The command could not be run, failed, or took too long."""


def run_hook(command: Sequence[str], text: str = "", timeout_s: float = HOOK_TIMEOUT_S) -> None:
    """Run it with `text` as its input, and wait for its end; raises HookError."""
    try:
        subprocess.run(  # noqa: S603  (the operator's own configuration says what)
            command, input=text.encode(), stdout=STDERR, check=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise HookError(f"it took longer than {timeout_s:g} s and was ended") from None
    except subprocess.CalledProcessError as error:
        raise HookError(f"it ended with status {error.returncode}") from None
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise HookError(str(error)) from None
