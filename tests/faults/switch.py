"""The switch of the stage, as whoever orders calls and trouble of it sees it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from gevent.lock import RLock

from esl_agent.lab.child import ChildError
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan
from esl_agent.simulator.truth import Truth

from .switch_process import Figures

TREE: Final = Path(__file__).parents[2]
#: How soon the process has to answer an order.
ANSWER_S: Final = 20.0

Answer = TypeVar("Answer")
Note = Callable[[str], None]


class Switch:
    """A simulated FreeSWITCH in a process of its own; every fault that is ordered is noted."""

    def __init__(self, config: SimulatorConfig, log: Path, note: Note) -> None:
        self._note = note
        self._one_at_a_time = RLock()
        self.cdr_folder = config.cdr_dir
        ours, its = socket.socketpair()
        command = [sys.executable, "-m", "tests.faults.switch_process", str(its.fileno())]
        with its, log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, msgspec.json.encode(config, enc_hook=str).decode()],
                pass_fds=[its.fileno()], stdout=output, stderr=subprocess.STDOUT, cwd=TREE,
                start_new_session=True,  # a Ctrl-C at the terminal is ours to pass on
            )  # fmt: skip
        ours.settimeout(ANSWER_S)
        self._orders = ours
        self._lines = ours.makefile("rb")
        began = self._lines.readline()
        if not began:
            self.close()
            raise ChildError(f"the switch did not start:\n{log.read_text()}")
        self.port: int = msgspec.json.decode(began)

    def close(self) -> None:
        """End the process; whatever is up there is forgotten."""
        self._lines.close()
        self._orders.close()
        try:
            self._process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    # Calls

    def place(self, plan: CallPlan) -> str:
        """Let a call come in; the UUID of the caller's leg."""
        return self._ask(str, "place", plan)

    def figures(self) -> Figures:
        return self._ask(Figures, "figures")

    def legs(self, since: int = 0) -> list[Truth]:
        """What the legs that are over really were, without the first `since`."""
        return self._ask(list[Truth], "legs", since)

    def hang_up_all(self) -> None:
        self._ask(None, "hang_up_all")

    # Trouble: simulator/faults.py says what each of these is

    def drop_events(self, number: int, *names: str) -> None:
        self._break("drop_events", number, names)

    def duplicate_events(self, number: int, *names: str) -> None:
        self._break("duplicate_events", number, names)

    def truncate_next(self, *names: str) -> None:
        self._break("truncate_next", names)

    def reorder(self, seed: int) -> None:
        self._break("reorder", seed)

    def lose_commands(self, number: int) -> None:
        self._break("lose_commands", number)

    def lose_replies(self, number: int) -> None:
        self._break("lose_replies", number)

    def slow_commands(self, milliseconds: int) -> None:
        self._break("slow_commands", milliseconds)

    def stall(self, seconds: float) -> None:
        self._break("stall", seconds)

    def disconnect(self) -> None:
        self._break("disconnect")

    def restart(self, *, down_s: float = 0.0, graceful: bool = False) -> None:
        self._break("restart", down_s=down_s, graceful=graceful)

    def skip_cdr_files(self, number: int) -> None:
        self._break("skip_cdr_files", number)

    def truncate_cdr_files(self, number: int) -> None:
        self._break("truncate_cdr_files", number)

    def skew(self, milliseconds: int) -> None:
        self._break("skew", milliseconds)

    def behave(self) -> None:
        """Whatever was ordered and can be taken back is over."""
        for name, *arguments in (
            ("drop_events", 0, ()),
            ("duplicate_events", 0, ()),
            ("in_order",),
            ("lose_commands", 0),
            ("lose_replies", 0),
            ("slow_commands", 0),
            ("stall", 0),
            ("skip_cdr_files", 0),
            ("truncate_cdr_files", 0),
        ):
            self._ask(None, "fault", name, arguments, {})

    def _break(self, name: str, *arguments: Any, **options: Any) -> None:
        self._note(f"switch: {name.replace('_', ' ')}")
        self._ask(None, "fault", name, arguments, options)

    def _ask(self, kind: type[Answer] | None, *order: Any) -> Answer:
        """Have an order carried out; what comes of it, of that kind."""
        with self._one_at_a_time:
            self._orders.sendall(msgspec.json.encode(order) + b"\n")
            answer: Answer = msgspec.json.decode(self._lines.readline(), type=kind)
        return answer
