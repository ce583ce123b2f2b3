"""What the command returns to the shell; docs/cli.md has the table."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
FAULT: Final = 70
INTERRUPTED: Final = 130

#: Each code and what it means, for docs/cli.md.
MEANINGS: Final = {
    OK: "It is done, or it is as it should be.",
    FAILED: "It was refused or failed, and the last line on standard error says why; or what was checked"
    " isn't good (`doctor`, `health`, `ledger check`, `reconcile`, `migrate --check`).",
    USAGE: "The command line or the configuration can't be used. Nothing was tried; repeating is no use.",
    FAULT: "A fault of the program itself. Please report the line, with `ESL_TRACEBACK=1` set for all of it.",
    INTERRUPTED: "Ended by Ctrl-C.",
}
