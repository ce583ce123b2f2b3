"""Commands that nobody waits for, in the order in which they were given (agent/calls/switchboard.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import gevent
from gevent.event import Event

from esl_agent.agent.calls.switchboard import ROUND_TRIP_WINDOW_US, Switchboard
from esl_agent.core.call_signals import ArmSwitchCut
from esl_agent.switch.commands import Api
from esl_agent.switch.errors import SwitchError

LEG: Final = "f7072568-ca1f-4ebc-9243-7e3e0cf03433"
SOON_S: Final = 1_795_400_003

#: Who is told of an answer.
Tell = Callable[[str | SwitchError], None]


class SlowSwitch:
    """Takes commands at once, and answers them when it may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = Event()

    def order(self, api: Api, tell: Tell) -> None:
        self.asked.append(str(api))
        self.may_answer.rawlink(lambda _: tell("+OK"))


class Words:
    """A log that keeps its words."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, word: str, /, **fields: object) -> None:
        self.said.append(word)


def test_a_cut_that_is_moved_twice_before_the_switch_answers_is_scheduled_once() -> None:
    switch = SlowSwitch()
    board = Switchboard(switch.order, Words())
    board.arm_cut(LEG, ArmSwitchCut(SOON_S, 3, replaces=True))
    board.arm_cut(LEG, ArmSwitchCut(SOON_S + 6, 9, replaces=True))
    gevent.sleep(0)
    switch.may_answer.set()
    gevent.idle()
    times = [line.split()[1] for line in switch.asked]
    assert times == [f"cut_{LEG}", str(SOON_S), "+3", f"cut_{LEG}", str(SOON_S + 6), "+9"]


def test_a_leg_that_can_not_be_named_is_logged_and_nothing_is_sent() -> None:
    switch, words = SlowSwitch(), Words()
    board = Switchboard(switch.order, words)
    board.kill("x\nhupall", "ALLOTTED_TIMEOUT")
    assert (switch.asked, words.said) == ([], ["SWITCH_COMMAND_FAILED"])


def test_the_longest_round_trip_is_remembered_for_a_while() -> None:
    switch, now_us = SlowSwitch(), 0
    board = Switchboard(switch.order, Words(), lambda: now_us)
    assert board.round_trip_us == 0
    board.kill(LEG, "ALLOTTED_TIMEOUT")
    now_us += 31_000
    switch.may_answer.set()
    gevent.idle()
    board.disarm_cut(LEG)
    gevent.idle()
    assert board.round_trip_us == 31_000
    now_us += 2 * ROUND_TRIP_WINDOW_US
    assert board.round_trip_us == 0


def test_what_a_command_costs_is_measured_while_others_wait() -> None:
    switch, now_us = SlowSwitch(), 0

    def answer_each_after_a_millisecond(api: Api, tell: Tell) -> None:
        def answer(_: Event) -> None:
            nonlocal now_us
            now_us += 1_000
            tell("+OK")

        switch.may_answer.rawlink(answer)

    board = Switchboard(answer_each_after_a_millisecond, Words(), lambda: now_us)
    for _ in range(200):
        board.kill(LEG, "ALLOTTED_TIMEOUT")
    gevent.sleep(0)
    switch.may_answer.set()
    gevent.idle()
    assert 990 < board.command_us <= 1_000
