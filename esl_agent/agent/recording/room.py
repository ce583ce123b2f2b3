"""Whether there is room for recordings, and how large one is, as far as this machine sees their folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from esl_agent.agent.money.disk import Disk
from esl_agent.config import RecordingConfig
from esl_agent.noc.log import Log
from esl_agent.store.recording_files import Measure, RecordingFiles

#: A recording of an hour has 115 MB, and is hashed in a second by a disk that reads as fast.
MEASURE_PATIENCE_S: Final = 60.0


class Room:
    """Without a folder nothing is known, and nothing speaks against a recording."""

    def __init__(self, config: RecordingConfig, log: Log, may_act: Callable[[], bool] = lambda: True) -> None:
        self._files = RecordingFiles(Path(config.folder)) if config.folder else None
        self._free_min_mb = config.free_min_mb
        self._refuses = config.when_failed == "refuse"
        self._log = log
        self._may_act = may_act
        self._looking, self._measuring = Disk(), Disk(MEASURE_PATIENCE_S)
        self._trouble: str | None = None

    def can_record(self) -> bool:
        """False where a call that has to be recorded, and can't be, is to be refused."""
        return self._trouble is None or not self._refuses

    def look(self) -> None:
        """Find out whether a recording could be written now; a change is told."""
        if self._files is None:
            return
        try:
            trouble = self._looking.call(self._files.trouble, self._free_min_mb)
        except OSError as error:
            trouble = str(error)
        if (trouble is None) != (self._trouble is None) and self._may_act():
            folder = self._files.folder
            if trouble is None:
                self._log("RECORDING_FOLDER_GOOD", folder=folder)
            else:
                self._log("RECORDING_FOLDER_FAILED", folder=folder, error=trouble)
        self._trouble = trouble

    def measure(self, name: str) -> Measure | None:
        """Of a recording that stopped; None where it can't be seen from here."""
        if self._files is None:
            return None
        try:
            return self._measuring.call(self._files.measure, name)
        except OSError as error:
            self._log("RECORDING_FOLDER_FAILED", folder=self._files.folder, file=name, error=str(error))
            return None

    def close(self) -> None:
        self._looking.close()
        self._measuring.close()
