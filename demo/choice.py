"""Which switch the demo takes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from demo.errors import DemoError
from demo.named import NamedSwitch
from demo.private import PrivateNetwork
from demo.simulated import SimulatedSwitch
from demo.switch import Switch
from esl_agent.lab.freeswitch import NoFreeSwitch, find_freeswitch
from esl_agent.lab.sipp import NoSipp, find_sipp

CHOICE_VARIABLE: Final = "DEMO_SWITCH"
NAMED_VARIABLE: Final = "FREESWITCH"
SIMULATOR: Final = "simulator"
FREESWITCH: Final = "freeswitch"


def choose(environment: Mapping[str, str], folder: Path) -> tuple[Switch, str]:
    """A switch, and in one line which one and why.

    Raises DemoError if the one that the environment names can't be had.
    """
    wanted = environment.get(CHOICE_VARIABLE, "")
    if wanted not in ("", SIMULATOR, FREESWITCH):
        raise DemoError(f"{CHOICE_VARIABLE}={wanted}: it may be {SIMULATOR} or {FREESWITCH}")
    if wanted == SIMULATOR:
        return SimulatedSwitch(folder), f"the simulator, as {CHOICE_VARIABLE} says"
    if where := environment.get(NAMED_VARIABLE):
        return NamedSwitch(where, environment), f"the FreeSWITCH at {where}, as {NAMED_VARIABLE} says"
    try:
        binary, sipp = find_freeswitch(environment), find_sipp(environment)
    except (NoFreeSwitch, NoSipp) as error:
        if wanted == FREESWITCH:
            raise DemoError(f"{CHOICE_VARIABLE}={FREESWITCH}, but {error}") from None
        return SimulatedSwitch(folder), f"the simulator: {error}"
    why = f"FreeSWITCH, found as {binary}, with SIPp as phones and carriers"
    return PrivateNetwork(binary, sipp, folder), why
