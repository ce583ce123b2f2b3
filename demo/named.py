"""The demo on a FreeSWITCH that runs already, named by FREESWITCH=host:port.

Calls there go out by that switch's own carriers, so nothing is called but what
DEMO_NUMBERS names, or what is typed.  The demo's daemon refuses the calls of
accounts that it does not know: it is for a switch that nobody else uses.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from demo.cast import CUSTOMERS, Scene
from demo.errors import DemoError
from esl_agent.config import SwitchConfig
from esl_agent.lab.console import Console, ConsoleError, Event, EventTap

PASSWORD_VARIABLE: Final = "FREESWITCH_PASSWORD"  # noqa: S105  a name
NUMBERS_VARIABLE: Final = "DEMO_NUMBERS"
CARRIERS_VARIABLE: Final = "DEMO_CARRIERS"
CARRIERS: Final = "alpha beta"
CALLER: Final = CUSTOMERS[0]
#: A shorter number is an emergency's or a service's, and not for a demo.
NUMBER_DIGITS_MIN: Final = 7
#: By the context that transfers go through, somebody can call without a phone.
CONTEXT: Final = "esl_transfer"
EVENTS: Final = "CHANNEL_CREATE CHANNEL_HANGUP_COMPLETE"
#: A loopback leg would hand its own codec on, which no carrier speaks.
CODEC: Final = "absolute_codec_string=PCMU,export_vars=absolute_codec_string"


class NamedSwitch:
    """Somebody's FreeSWITCH, with our dialplan in it."""

    def __init__(self, where: str, environment: Mapping[str, str]) -> None:
        host, _, port = where.rpartition(":")
        if not host or not port.isdecimal():
            raise DemoError(f"FREESWITCH={where}: write host:port, as 127.0.0.1:8021")
        self.host, self.port = host, int(port)
        self.password = environment.get(PASSWORD_VARIABLE, SwitchConfig().password)
        numbers = _words(environment.get(NUMBERS_VARIABLE, ""))
        scenes = tuple(
            Scene(title=NUMBERS_VARIABLE, account=CALLER.account, number=number) for number in numbers
        )
        self.acts: Sequence[Sequence[Scene]] = (scenes,) if scenes else ()
        self.cdr_folder = None
        self.carriers: Sequence[str] = _words(environment.get(CARRIERS_VARIABLE, CARRIERS))
        self.admission_port = 0
        self._console: Console | None = None
        self._tap: EventTap | None = None
        self._calls: list[str] = []

    def start(self) -> None:
        self._console = console = Console(self.host, self.port, self.password)
        self._tap = EventTap(Console(self.host, self.port, self.password), EVENTS)
        # Where there is none it says so in words, or shows the whole section.
        if f'<context name="{CONTEXT}"' not in console.api(f"xml_locate dialplan context name {CONTEXT}"):
            raise DemoError(
                f"the switch at {self.host}:{self.port} lacks our dialplan: write it out with "
                "`esl-agent files dialplan DIR`, include it as its README says, and `reloadxml`"
            )
        self.admission_port = _port_of(console.api("global_getvar esl_admission_address"))
        if not console.api("show calls count").strip().startswith("0 "):
            raise DemoError(
                f"the switch at {self.host}:{self.port} has calls up, and the demo's daemon would refuse "
                "those of accounts that it does not know: name a switch that nobody else uses"
            )

    def place(self, scene: Scene) -> None:
        if len(scene.number) < NUMBER_DIGITS_MIN or not scene.number.removeprefix("+").isdecimal():
            raise DemoError(f"{scene.number} is not called on a switch that may have real carriers")
        call = str(uuid.uuid4())
        variables = f"origination_uuid={call},esl_account={scene.account},{CODEC}"
        variables += f",origination_caller_id_number={CALLER.phone}"
        where = f"loopback/{scene.number}/{CONTEXT}/XML"
        self._standing().command(f"bgapi originate {{{variables}}}{where} &sleep({scene.talk_ms})")
        self._calls.append(call)

    def finish(self, deadline_s: float) -> None:
        while self._calls:
            is_end = partial(_is_end_of, self._calls[0])
            self._heard().wait(is_end, "the end of a call", deadline_s)
            self._calls.pop(0)

    def paid_legs(self) -> set[str]:
        return {event["Unique-ID"] for event in self._heard().events if _is_paid(event)}

    def stop(self) -> None:
        """End the calls that are up; the switch itself is not ours to stop."""
        if self._console is not None:
            with suppress(ConsoleError, OSError):
                for call in self._calls:
                    self._console.api(f"uuid_kill {call}")
            self._console.close()
        if self._tap is not None:
            self._tap.close()

    def _standing(self) -> Console:
        if self._console is None:
            raise DemoError("not connected to the switch")
        return self._console

    def _heard(self) -> EventTap:
        if self._tap is None:
            raise DemoError("not connected to the switch")
        return self._tap


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _port_of(address: str) -> int:
    """Where the switch asks admission; the demo's daemon is on this machine."""
    port = address.strip().rpartition(":")[2]
    if not port.isdecimal():
        raise DemoError(f"the switch's esl_admission_address is {address.strip()!r}: set it in its vars.xml")
    return int(port)


def _is_paid(event: Event) -> bool:
    """Whether the leg is on somebody's account, and not the loopback that stands in for a phone."""
    return "variable_esl_account" in event and not event["Channel-Name"].startswith("loopback/")


def _is_end_of(call: str, event: Event) -> bool:
    return (event["Event-Name"], event["Unique-ID"]) == ("CHANNEL_HANGUP_COMPLETE", call)
