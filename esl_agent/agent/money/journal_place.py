"""Where the daemon's journal is, by its configuration and by whom it was started."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from esl_agent.config import JournalConfig
from esl_agent.store.journal import MB, Journal, JournalError, JournalLimits


def journal_of(config: JournalConfig, environment: Mapping[str, str]) -> Journal:
    """Not opened yet; raises JournalError where there is no place for it."""
    limits = JournalLimits(config.size_max_mb * MB, config.free_min_mb * MB, config.segment_mb * MB)
    return Journal(journal_folder(config, environment), limits)


def journal_folder(config: JournalConfig, environment: Mapping[str, str]) -> Path:
    """What is configured, else where systemd or the XDG base directories keep a program's state."""
    if config.folder:
        return Path(config.folder).absolute()
    if given := environment.get("STATE_DIRECTORY"):  # systemd.exec(5): several are parted by colons
        return Path(given.partition(":")[0]) / "journal"
    state = environment.get("XDG_STATE_HOME", "")
    if not Path(state).is_absolute():  # the standard: a relative one is to be ignored
        if not (home := environment.get("HOME")):
            raise JournalError("there is no home to keep the journal in: set [journal] folder")
        state = f"{home}/.local/state"
    return Path(state) / "esl-agent" / "journal"
