"""What the demo needs of a switch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from demo.cast import DIDS, Scene

#: What the dialplan marks legs with that go on somebody's account, and emergency calls.
MARKS: Final = frozenset({"esl_account", "esl_emergency"})


class Switch(Protocol):
    """Somewhere that calls go through; `stop` serves one that is half started, too."""

    host: str
    port: int
    password: str
    admission_port: int  # where its dialplan asks
    carriers: Sequence[str]  # its gateways, in the order in which calls are to try them
    acts: Sequence[Sequence[Scene]]  # what can be played on it

    @property
    def cdr_folder(self) -> Path | None:
        """Where it writes a file for each leg, if that can be seen from here."""

    def start(self) -> None: ...

    def place(self, scene: Scene) -> None:
        """Begin a call."""

    def finish(self, deadline_s: float) -> None:
        """Return when every call that was placed is over; raise if one did not go as its scene says."""

    def paid_legs(self) -> set[str]:
        """The legs that are over, by the switch's own account, and that must have a CDR."""

    def stop(self) -> None: ...


def paid_legs_in(cdr_folder: Path) -> set[str]:
    """The legs in mod_json_cdr's files that are marked as somebody's, or that called a DID.

    The daemon moves those of settled legs into a folder below.  A file that is written or moved at this
    moment counts under its name, so that nobody takes it for settled.
    """
    return {leg for file in cdr_folder.rglob("*.cdr.json") for leg in _paid_leg(file)}


def _paid_leg(file: Path) -> Iterator[str]:
    try:
        leg = json.loads(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):
        yield file.name
        return
    variables = leg["variables"]
    called = leg["callflow"][-1]["caller_profile"]["destination_number"].removeprefix("+")
    is_for_did = variables["direction"] == "inbound" and called in {did.number for did in DIDS}
    if is_for_did or not MARKS.isdisjoint(variables):
        yield variables["uuid"]
