"""The folder of the switch's CDR files.

```
json_cdr/                the switch writes here (log-dir of json_cdr.conf.xml)
    a_<uuid>.cdr.json    a leg that no other leg made
    <uuid>.cdr.json      a leg that another one made
    done/                settled, where they are kept
    broken/              files that tell of no leg
```
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from esl_agent.core.leg import LegEnd
from esl_agent.switch.cdr_file import CdrFileError, file_names, read_cdr_file
from esl_agent.switch.events import DEFAULT_NAMES, VariableNames

DONE: Final = "done"
BROKEN: Final = "broken"


class CdrFolder:
    """The files in `folder`; without a folder there are none."""

    def __init__(self, folder: Path | None, names: VariableNames = DEFAULT_NAMES) -> None:
        self.folder = folder
        self.names = names

    def find(self, leg_uuid: str) -> LegEnd | None:
        """How the leg ended by its file; None where there is no file of it, or not yet a whole one."""
        if self.folder is None:
            return None
        for name in file_names(leg_uuid):
            for place in (self.folder, self.folder / DONE):
                try:
                    return read_cdr_file(place / name, self.names)
                except CdrFileError:
                    continue
        return None
