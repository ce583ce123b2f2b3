"""A call that is taken up again, found up, or left to the next daemon (core/call.py)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from fixtures.call_steps import FREE, LEG, POLICY, PRICE, START, S, at_s, of, ringing, talking, timers, words

from esl_agent.core import call as machine
from esl_agent.core.call import (
    Call,
    Phase,
    begin_again,
    step,
)
from esl_agent.core.call_signals import (
    Answered,
    ArmSwitchCut,
    AskDue,
    CutDue,
    Effects,
    FoundUp,
    Held,
    HoldFailed,
    HoldMoney,
    HoldRefused,
    KillLeg,
    Leaving,
    MustEnd,
    Note,
    Timer,
)
from esl_agent.core.price import Price


def found(held: str, talked_s: float | None, price: Price = PRICE) -> tuple[Call, Effects]:
    """A leg that was up before the agent; it was answered at START, so long ago."""
    leg = LEG if talked_s is None else replace(LEG, answered_us=START)
    return begin_again(leg, price, Decimal(held), POLICY, START + int((talked_s or 0) * S))


class TestBeginAgain:
    def test_it_talks_on_from_its_real_answer_with_both_cut_offs(self) -> None:
        call, effects = found("0.6000", 30)
        assert (call.phase, call.answered_us, call.paid_s) == (Phase.TALKING, START, 60)
        assert timers(effects) == {Timer.CUT: pytest.approx(59.94), Timer.ASK: pytest.approx(55.94)}
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(58), 29, replaces=True)]
        assert of(effects, Note) == [Note("CALL_RECOVERED", {"held": Decimal("0.6000"), "talk_s": 30})]

    def test_it_asks_at_once_where_what_is_held_runs_out(self) -> None:
        call, effects = found("0.6000", 57)
        assert of(effects, HoldMoney) == [HoldMoney(Decimal("0.6600"), Decimal("1.2000"), Decimal("12.0000"))]
        assert not of(effects, KillLeg)
        call, effects = step(call, Held(Decimal("1.2000"), Decimal(50)), POLICY, START + 57 * S)
        assert timers(effects)[Timer.CUT] == pytest.approx(119.94)
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(118), 62, replaces=True)]

    def test_one_that_talked_longer_than_is_held_asks_for_all_of_that_before_it_is_cut(self) -> None:
        call, effects = found("0.6000", 100.7)
        (hold,) = of(effects, HoldMoney)
        assert hold.least == Decimal("1.0200")  # 102 s
        assert Timer.CUT not in timers(effects)
        again, effects = step(call, Held(Decimal("1.0200"), Decimal(0)), POLICY, START + 100_800_000)
        assert timers(effects)[Timer.CUT] == pytest.approx(101.94)
        for silence in (HoldRefused("no_funds"), HoldFailed(), AskDue()):
            again, effects = step(call, silence, POLICY, START + 101 * S)
            assert timers(effects)[Timer.CUT] < 101
            again, effects = step(again, CutDue(), POLICY, START + 101 * S)
            assert of(effects, KillLeg) == [KillLeg("ALLOTTED_TIMEOUT")]

    def test_money_that_is_used_up_again_when_it_comes_is_asked_for_again(self) -> None:
        call, _ = found("0.0600", 11.5)
        call, effects = step(call, Held(Decimal("0.1200"), Decimal(9)), POLICY, START + 12 * S)
        assert of(effects, HoldMoney)
        assert Timer.CUT not in timers(effects)

    def test_one_that_rings_goes_on_ringing_with_what_is_held(self) -> None:
        call, effects = found("0.1200", None)
        assert (call.phase, call.paid_s, words(effects)) == (Phase.RINGING, 12, ["CALL_RECOVERED"])
        _, effects = step(call, Answered(START), POLICY, START)
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(10), 11, replaces=True)]

    @pytest.mark.parametrize("talked_s", [None, 5])
    def test_one_that_nothing_is_held_for_asks_first(self, talked_s: int | None) -> None:
        call, effects = found("0", talked_s)
        assert call.is_asking
        assert of(effects, HoldMoney)[0].least == Decimal("0.0600")
        _, effects = step(call, HoldRefused("no_funds"), POLICY, START + 5 * S)
        assert of(effects, KillLeg) == [KillLeg("CALL_REJECTED")]

    @pytest.mark.parametrize(("talked_s", "phase"), [(None, Phase.RINGING), (200_000, Phase.TALKING)])
    def test_a_free_one_has_no_cut_anywhere(self, talked_s: int | None, phase: Phase) -> None:
        call, effects = found("0", talked_s, FREE)
        assert (call.phase, words(effects), len(effects)) == (phase, ["CALL_RECOVERED"], 1)
        assert step(call, Leaving(), POLICY, START) == (call, ())


class TestFoundUp:
    def test_an_answer_that_was_missed_counts_from_when_it_was(self) -> None:
        call, effects = step(ringing(), FoundUp(START), POLICY, START + 20 * S)
        assert (call.phase, words(effects)) == (Phase.TALKING, ["CALL_ANSWERED"])
        assert timers(effects)[Timer.CUT] == pytest.approx(59.94)
        call, effects = step(ringing(), FoundUp(START), POLICY, START + 70 * S)
        assert of(effects, HoldMoney)[0].least == Decimal("0.7200")
        assert Timer.CUT not in timers(effects)

    def test_one_that_rings_still_is_left_alone(self) -> None:
        assert step(ringing(), FoundUp(None), POLICY, START) == (ringing(), ())

    def test_the_switchs_cut_is_set_anew_where_it_belongs(self) -> None:
        call, effects = step(talking(), FoundUp(START), POLICY, START + 20 * S)
        assert effects == (ArmSwitchCut(at_s(58), 39, replaces=True),)
        call, _ = step(call, HoldRefused("no_funds"), POLICY, START + 56 * S)
        _, effects = step(call, FoundUp(START), POLICY, START + 57 * S)
        assert effects == (ArmSwitchCut(at_s(60), 4, replaces=True),)  # behind the paid end

    def test_one_that_was_killed_is_killed_again(self) -> None:
        call, _ = step(talking(), MustEnd("account_suspended"), POLICY, START)
        for _ in range(machine.KILLS_MAX):
            call, effects = step(call, CutDue(), POLICY, START)
        assert words(effects) == ["CALL_CUT_FAILED"]
        call, effects = step(call, FoundUp(START), POLICY, START + 9 * S)
        assert of(effects, KillLeg) == [KillLeg("MANAGER_REQUEST")]
        assert step(call, CutDue(), POLICY, START + 9 * S)[1]


class TestLeaving:
    def test_what_is_held_is_made_to_last_a_grant_whatever_that_leaves(self) -> None:
        _, effects = step(talking("0.6000"), Leaving(), POLICY, START + 58 * S)
        assert effects == (HoldMoney(Decimal("0.6000"), Decimal("1.2000"), Decimal(0)),)

    def test_one_whose_money_lasts_or_has_ended_needs_no_more(self) -> None:
        assert step(talking("1.2000"), Leaving(), POLICY, START) == (talking("1.2000"), ())
        call, _ = step(talking("0.1200"), HoldRefused("no_funds"), POLICY, START + 8 * S)
        assert step(call, Leaving(), POLICY, START + 9 * S) == (call, ())
