"""Where the daemon's journal is, by its configuration and by whom it was started."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from esl_agent.config import JournalConfig
from esl_agent.store.journal import MB, Journal, JournalError, JournalLimits

#: The journal of the daemon that the unit as shipped starts (etc/systemd/esl-agent.service).
OF_THE_SERVICE: Final = Path("/var/lib/esl-agent/journal")


def journal_of(config: JournalConfig, environment: Mapping[str, str]) -> Journal:
    """Not opened yet; raises JournalError where there is no place for it."""
    limits = JournalLimits(config.size_max_mb * MB, config.free_min_mb * MB, config.segment_mb * MB)
    return Journal(journal_folder(config, environment), limits)


def journal_folder(
    config: JournalConfig, environment: Mapping[str, str], of_the_service: Path = OF_THE_SERVICE
) -> Path:
    """What is configured, else where systemd or the XDG base directories keep a program's state.

    systemd tells only the service where that is.  A command from a shell is about the same daemon:
    where the service's journal is there, it is the one meant.
    """
    if config.folder:
        return Path(config.folder).absolute()
    if given := environment.get("STATE_DIRECTORY"):  # systemd.exec(5): several are parted by colons
        return Path(given.partition(":")[0]) / "journal"
    if _is_there(of_the_service):
        return of_the_service
    state = environment.get("XDG_STATE_HOME", "")
    if not Path(state).is_absolute():  # the standard: a relative one is to be ignored
        if not (home := environment.get("HOME")):
            raise JournalError("there is no home to keep the journal in: set [journal] folder")
        state = f"{home}/.local/state"
    return Path(state) / "esl-agent" / "journal"


def _is_there(folder: Path) -> bool:
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise JournalError(
            f"the service's journal {folder} can't be looked at ({error.strerror}): run this as the user that"
            " the daemon runs as (docs/troubleshooting.md), or set [journal] folder"
        ) from None
    return True
