"""What the demo needs of a switch, and which one it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from demo.cast import DIDS, Scene
from demo.errors import DemoError
from esl_agent.lab.freeswitch import NoFreeSwitch, find_freeswitch
from esl_agent.lab.sipp import NoSipp, find_sipp

CHOICE_VARIABLE: Final = "DEMO_SWITCH"
NAMED_VARIABLE: Final = "FREESWITCH"
SIMULATOR: Final = "simulator"
FREESWITCH: Final = "freeswitch"
#: What the dialplan marks legs with that go on somebody's account, and emergency calls.
MARKS: Final = frozenset({"esl_account", "esl_emergency"})


class Switch(Protocol):
    """Somewhere that calls go through; `stop` serves one that is half started, too."""

    host: str
    port: int
    password: str
    acts: Sequence[Sequence[Scene]]  # what can be played on it

    def start(self) -> None: ...

    def place(self, scene: Scene) -> None:
        """Begin a call."""

    def finish(self, deadline_s: float) -> None:
        """Return when every call that was placed is over; raise if one did not go as its scene says."""

    def paid_legs(self) -> set[str]:
        """The legs that are over, by the switch's own account, and that must have a CDR."""

    def stop(self) -> None: ...


def choose(environment: Mapping[str, str], folder: Path) -> tuple[Switch, str]:
    """A switch, and in one line which one and why.

    Raises DemoError if the one that the environment names can't be had.
    """
    wanted = environment.get(CHOICE_VARIABLE, "")
    if wanted not in ("", SIMULATOR, FREESWITCH):
        raise DemoError(f"{CHOICE_VARIABLE}={wanted}: it may be {SIMULATOR} or {FREESWITCH}")
    if wanted == SIMULATOR:
        return _simulated(folder), f"the simulator: {CHOICE_VARIABLE} says so"
    if where := environment.get(NAMED_VARIABLE):
        from demo.named import NamedSwitch

        return NamedSwitch(where, environment), f"the FreeSWITCH at {where}: {NAMED_VARIABLE} says so"
    try:
        binary, sipp = find_freeswitch(environment), find_sipp(environment)
    except (NoFreeSwitch, NoSipp) as error:
        if wanted == FREESWITCH:
            raise DemoError(f"{CHOICE_VARIABLE}={FREESWITCH}, but {error}") from None
        return _simulated(folder), f"the simulator: {error}"
    from demo.private import PrivateNetwork

    return PrivateNetwork(
        binary, sipp, folder
    ), f"FreeSWITCH, found as {binary}, with SIPp as phones and carriers"


def _simulated(folder: Path) -> Switch:
    from demo.simulated import SimulatedSwitch

    return SimulatedSwitch(folder)


def paid_legs_in(cdr_folder: Path) -> set[str]:
    """The legs in mod_json_cdr's files that are marked as somebody's, or that called a DID."""
    dids = {did.number for did in DIDS}
    legs = [_read(file) for file in cdr_folder.glob("*.cdr.json")]
    return {
        leg["variables"]["uuid"]
        for leg in legs
        if not MARKS.isdisjoint(leg["variables"]) or _called(leg) in dids
    }


def _read(path: Path) -> dict[str, Any]:
    leg: dict[str, Any] = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    return leg


def _called(leg: Mapping[str, Any]) -> str:
    """The number that an incoming leg called, "" for an outgoing one."""
    if leg["variables"]["direction"] != "inbound":
        return ""
    number: str = leg["callflow"][-1]["caller_profile"]["destination_number"]
    return number.removeprefix("+")
