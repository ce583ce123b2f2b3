"""A call's life, told step by step (core/call.py)."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from fixtures.call_steps import (
    FREE,
    LEG,
    POLICY,
    PRICE,
    START,
    S,
    at_s,
    ended,
    of,
    ringing,
    talking,
    timers,
    words,
)

from esl_agent.core import call as machine
from esl_agent.core.call import (
    TRANSITIONS,
    Call,
    Phase,
    begin,
    begin_held,
    begin_refused,
    begin_sharing,
    end_unseen,
    step,
)
from esl_agent.core.call_signals import (
    AnnounceEnd,
    Answered,
    AnsweredToo,
    ArmSwitchCut,
    AskDue,
    CutDue,
    DisarmSwitchCut,
    DropTimers,
    Event,
    FoundUp,
    Held,
    HoldFailed,
    HoldMoney,
    HoldRefused,
    KillLeg,
    Leaving,
    MoneyCame,
    MustEnd,
    Note,
    SetTimer,
    Settle,
    Timer,
    WarnDue,
)
from esl_agent.core.leg import Direction


class TestRingingBesideAnother:
    """Legs of one call live on one hold (agent/calls/itinerary.py)."""

    def test_it_asks_for_nothing_and_is_told_what_becomes_of_the_others_hold(self) -> None:
        call, effects = begin_sharing(LEG, PRICE)
        assert (call.phase, effects) == (Phase.ASKING, ())
        held, _ = step(call, Held(Decimal("0.6000"), Decimal(100)), POLICY, START)
        assert (held.phase, held.paid_s) == (Phase.RINGING, 60)
        refused, effects = step(call, HoldRefused("no_funds"), POLICY, START)
        assert (refused.phase, of(effects, KillLeg)) == (Phase.ENDING, [KillLeg("CALL_REJECTED")])

    @pytest.mark.parametrize("call", [begin_sharing(LEG, PRICE)[0], ringing()], ids=["asking", "ringing"])
    def test_answered_after_another_it_has_nothing_and_waits_before_it_asks(self, call: Call) -> None:
        call, effects = step(call, AnsweredToo(START), POLICY, START)
        assert (call.phase, call.held, call.paid_s) == (Phase.TALKING, Decimal(0), 0)
        assert timers(effects) == {Timer.CUT: 2.0, Timer.ASK: 1.0}
        call, effects = step(call, AskDue(), POLICY, START + S)
        assert of(effects, HoldMoney)[0].least == Decimal("0.0600")
        call, effects = step(call, Held(Decimal("0.0600"), Decimal(0)), POLICY, START + S)
        assert (call.paid_s, timers(effects)[Timer.CUT]) == (6, 5.94)

    def test_who_has_lost_the_race_is_not_billed(self) -> None:
        end = replace(ended(20_000, "LOSE_RACE"), has_lost=True)
        _, effects = step(talking(), end, POLICY, START)
        [settle] = of(effects, Settle)
        assert (settle.charge.billed_seconds, settle.charge.total, settle.end.duration_us) == (0, 0, 20_000)


class TestAsking:
    def test_a_call_begins_by_holding_its_first_increment_or_a_grant_where_the_account_is_rich(self) -> None:
        call, effects = begin(LEG, PRICE, POLICY)
        assert call.phase is Phase.ASKING
        assert effects == (HoldMoney(Decimal("0.0600"), Decimal("0.6000"), Decimal("12.0000")),)

    def test_a_free_call_holds_nothing_and_has_no_timers(self) -> None:
        call, effects = begin(LEG, FREE, POLICY)
        assert (call.phase, words(effects)) == (Phase.RINGING, ["CALL_ADMITTED"])
        call, effects = step(call, Answered(START), POLICY, START)
        assert (call.phase, words(effects)) == (Phase.TALKING, ["CALL_ANSWERED"])
        assert len(effects) == 1

    def test_without_money_the_leg_is_killed_and_its_record_says_why(self) -> None:
        call, _ = begin(LEG, PRICE, POLICY)
        call, effects = step(call, HoldRefused("no_funds"), POLICY, START)
        assert of(effects, KillLeg) == [KillLeg("CALL_REJECTED")]
        assert words(effects) == ["CALL_REFUSED"]
        call, effects = step(call, ended(0), POLICY, START)
        (settle,) = of(effects, Settle)
        assert (settle.refused, settle.charge.total) == ("no_funds", 0)

    def test_no_decision_means_no_call(self) -> None:
        call, _ = begin(LEG, PRICE, POLICY)
        call, effects = step(call, HoldFailed(), POLICY, START)
        assert of(effects, KillLeg) == [KillLeg("NORMAL_TEMPORARY_FAILURE")]
        assert call.refused == "no_decision"

    def test_an_answer_before_the_money_waits_for_it_only_so_long(self) -> None:
        call, _ = begin(LEG, PRICE, POLICY)
        call, effects = step(call, Answered(START), POLICY, START)
        assert timers(effects) == {Timer.CUT: 2.0}
        _, effects = step(call, Held(Decimal("0.0600"), Decimal(0)), POLICY, START + S)
        assert timers(effects)[Timer.CUT] == pytest.approx(5.94)
        unfunded, effects = step(call, CutDue(), POLICY, START + 2 * S)
        assert unfunded.phase is Phase.ENDING
        assert of(effects, KillLeg)

    def test_a_leg_that_may_not_be_is_killed_at_once_and_again_until_it_ends(self) -> None:
        call, effects = begin_refused(LEG, PRICE, "unknown_account", POLICY, START)
        assert timers(effects) == {Timer.CUT: 0.5}
        for _ in range(machine.KILLS_MAX - 1):
            call, effects = step(call, CutDue(), POLICY, START)
            assert of(effects, KillLeg) == [KillLeg("CALL_REJECTED")]
        call, effects = step(call, CutDue(), POLICY, START)
        assert words(effects) == ["CALL_CUT_FAILED"]
        assert not of(effects, SetTimer)


class TestAdmitted:
    def test_a_leg_that_admission_planned_has_its_money_and_a_cut_on_the_switch(self) -> None:
        call, effects = begin_held(LEG, PRICE, Decimal("0.1200"))
        assert (call.phase, call.paid_s, words(effects)) == (Phase.RINGING, 12, ["CALL_TRYING"])
        call, effects = step(call, Answered(START), POLICY, START)
        assert of(effects, ArmSwitchCut) == [], "the switch has armed it as it heard the answer"
        _, effects = step(call, Held(Decimal("0.1800"), Decimal(0)), POLICY, START + 8 * S)
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(16), 9, replaces=True)]

    def test_one_that_came_in_has_one_too_and_it_is_set_again_when_the_answer_is_heard(self) -> None:
        """Where the switch's name of it is no UUID it could not be set before."""
        call, _ = begin_held(replace(LEG, direction=Direction.INBOUND), PRICE, Decimal("0.1200"))
        _, effects = step(call, Answered(START), POLICY, START)
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(10), 11, replaces=True)]

    def test_one_that_only_shares_a_hold_brings_no_cut(self) -> None:
        call, _ = begin_held(LEG, PRICE, Decimal("0.1200"), is_planned=False)
        _, effects = step(call, Answered(START), POLICY, START)
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(10), 11)]

    def test_a_free_leg_has_no_cut_anywhere(self) -> None:
        call, _ = begin_held(LEG, FREE, Decimal(0))
        call, effects = step(call, Answered(START), POLICY, START)
        assert words(effects) == ["CALL_ANSWERED"]
        assert len(effects) == 1

    @pytest.mark.parametrize(("held", "after_s"), [("0.0600", 5), ("0.1200", 11), ("0.6000", 59)])
    def test_the_switchs_first_cut_is_before_the_paid_end(self, held: str, after_s: int) -> None:
        assert machine.first_switch_cut_s(PRICE, Decimal(held)) == after_s

    def test_one_that_is_too_short_for_the_coarse_scheduler_is_cut_behind_it(self) -> None:
        assert machine.first_switch_cut_s(replace(PRICE, minimum_s=1, step_s=1), Decimal("0.0200")) == 3


class TestTalking:
    def test_the_answer_arms_both_cut_offs_and_the_asking(self) -> None:
        _, effects = step(ringing("0.1200"), Answered(START), POLICY, START)
        assert timers(effects) == {Timer.CUT: pytest.approx(11.94), Timer.ASK: pytest.approx(7.94)}
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(10), 11)]  # by 11.25 s, if it is busy

    def test_more_is_asked_for_before_what_is_held_runs_out(self) -> None:
        call, effects = step(talking("0.6000"), AskDue(), POLICY, START + 56 * S)
        assert of(effects, HoldMoney) == [HoldMoney(Decimal("0.6600"), Decimal("1.2000"), Decimal("12.0000"))]
        call, effects = step(call, Held(Decimal("1.2000"), Decimal("50")), POLICY, START + 56 * S)
        assert call.paid_s == 120
        assert timers(effects)[Timer.CUT] == pytest.approx(119.94)
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(118), 63, replaces=True)]

    def test_at_the_end_of_the_money_the_agent_cuts_and_the_switch_stands_behind(
        self,
    ) -> None:
        call, _ = step(talking("0.1200"), AskDue(), POLICY, START + 8 * S)
        call, effects = step(call, HoldRefused("no_funds"), POLICY, START + 8 * S)
        assert words(effects) == ["CALL_LOW_BALANCE"]
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(12), 5, replaces=True)]
        assert timers(effects) == {Timer.CUT: pytest.approx(11.94), Timer.ASK: pytest.approx(11.54)}
        call, effects = step(call, CutDue(), POLICY, START + 11_940_000)
        assert of(effects, KillLeg) == [KillLeg("ALLOTTED_TIMEOUT")]
        assert call.phase is Phase.ENDING

    def test_the_end_of_the_money_is_announced_and_no_other_cut(self) -> None:
        for refused, announced in [
            (HoldRefused("no_funds"), 1),
            (HoldRefused("day_spend"), 0),
            (HoldFailed(), 0),
        ]:
            call, _ = step(talking("0.1200"), refused, POLICY, START + 8 * S)
            _, effects = step(call, CutDue(), POLICY, START + 11_940_000)
            before_kill = effects[: effects.index(KillLeg("ALLOTTED_TIMEOUT"))]
            assert before_kill == (AnnounceEnd(),) * announced

    def test_a_call_that_is_paid_for_a_whole_day_asks_for_nothing_more(self) -> None:
        day_s = 86_400
        call = talking("864.0000")
        call, effects = step(call, AskDue(), POLICY, START + (day_s - 4) * S)
        assert (of(effects, HoldMoney), words(effects)) == ([], ["CALL_LOW_BALANCE"])
        assert timers(effects)[Timer.ASK] == pytest.approx(day_s - 0.46)
        call, effects = step(call, AskDue(), POLICY, START + day_s * S - 460_000)
        assert timers(effects) == {Timer.CUT: pytest.approx(day_s - 0.06)}
        _, effects = step(call, CutDue(), POLICY, START + day_s * S - 60_000)
        assert len(of(effects, KillLeg)) == 1

    def test_the_last_asking_may_find_money_that_another_call_left(self) -> None:
        call, _ = step(talking("0.1200"), AskDue(), POLICY, START + 8 * S)
        call, _ = step(call, HoldRefused("no_funds"), POLICY, START + 8 * S)
        call, effects = step(call, AskDue(), POLICY, START + 11_540_000)
        assert of(effects, HoldMoney)
        call, effects = step(call, Held(Decimal("0.1800"), Decimal(0)), POLICY, START + 11_560_000)
        assert timers(effects)[Timer.CUT] == pytest.approx(17.94)

    def test_a_second_refusal_is_not_told_again(self) -> None:
        call, _ = step(talking("0.1200"), HoldRefused("no_funds"), POLICY, START + 8 * S)
        call, effects = step(call, HoldRefused("no_funds"), POLICY, START + 11_600_000)
        assert words(effects) == []

    def test_a_refusal_moves_the_cut_to_where_it_belongs_by_now(self) -> None:
        slow = replace(POLICY, cut_lead_ms=95)
        _, effects = step(talking("0.1200"), HoldRefused("no_funds"), slow, START + 8 * S)
        assert timers(effects)[Timer.CUT] == pytest.approx(11.905)

    def test_a_silent_store_leaves_the_call_what_it_has(self) -> None:
        call, _ = step(talking("0.1200"), AskDue(), POLICY, START + 8 * S)
        call, effects = step(call, AskDue(), POLICY, START + 9 * S)
        assert of(effects, ArmSwitchCut) == [ArmSwitchCut(at_s(12), 4, replaces=True)]
        assert words(effects) == ["CALL_LOW_BALANCE"]
        call, effects = step(call, Held(Decimal("0.6000"), Decimal(1)), POLICY, START + 10 * S)
        assert call.paid_s == 60  # the answer came after all

    def test_money_that_comes_in_is_asked_for_at_once_by_a_call_that_was_refused(self) -> None:
        call, _ = step(talking("0.1200"), HoldRefused("no_funds"), POLICY, START + 8 * S)
        call, effects = step(call, MoneyCame(), POLICY, START + 9 * S)
        assert of(effects, HoldMoney) == [HoldMoney(Decimal("0.1800"), Decimal("0.7200"), Decimal("12.0000"))]
        call, effects = step(call, Held(Decimal("0.7200"), Decimal(20)), POLICY, START + 9 * S)
        assert (call.is_last, call.paid_s) == (False, 72)
        assert timers(effects)[Timer.CUT] == pytest.approx(71.94)

    def test_a_call_that_was_not_refused_goes_on_as_before(self) -> None:
        assert step(talking(), MoneyCame(), POLICY, START + S) == (talking(), ())

    def test_a_refusal_that_crossed_with_money_is_asked_about_again_once(self) -> None:
        call, _ = step(talking("0.1200"), AskDue(), POLICY, START + 8 * S)
        call, effects = step(call, MoneyCame(), POLICY, START + 8 * S)
        assert effects == ()  # one asking is out
        call, effects = step(call, HoldRefused("no_funds"), POLICY, START + 8 * S)
        assert of(effects, HoldMoney)
        call, effects = step(call, HoldRefused("no_funds"), POLICY, START + 8 * S)
        assert words(effects) == ["CALL_LOW_BALANCE"]

    def test_grace_moves_the_paid_end(self) -> None:
        call, _ = begin(LEG, replace(PRICE, grace_ms=500), POLICY)
        call, _ = step(call, Held(Decimal("0.0600"), Decimal(0)), POLICY, START)
        _, effects = step(call, Answered(START), POLICY, START)
        assert timers(effects)[Timer.CUT] == pytest.approx(6.44)


class TestEnd:
    def test_what_the_talk_cost_is_settled_and_nothing_stays_armed(self) -> None:
        call, effects = step(talking("0.6000"), ended(3_040_024), POLICY, START + 4 * S)
        assert call.phase is Phase.ENDED
        assert of(effects, DropTimers)
        assert of(effects, DisarmSwitchCut)
        (settle,) = of(effects, Settle)
        assert (settle.charge.billed_seconds, settle.charge.total) == (6, Decimal("0.0600"))

    def test_a_call_that_nobody_answered_costs_nothing(self) -> None:
        _, effects = step(ringing(), ended(0, "NO_ANSWER"), POLICY, START)
        (settle,) = of(effects, Settle)
        assert (settle.charge.billed_seconds, settle.charge.total) == (0, 0)
        assert not of(effects, DisarmSwitchCut)

    def test_an_end_whose_beginning_was_missed_is_settled_too(self) -> None:
        call, effects = end_unseen(ended(7 * S).end, PRICE)
        assert call.phase is Phase.ENDED
        assert of(effects, Settle)[0].charge.total == Decimal("0.1200")

    @pytest.mark.parametrize(
        "event",
        [
            Held(Decimal(9), Decimal(9)),
            HoldRefused("x"),
            HoldFailed(),
            Answered(1),
            AskDue(),
            CutDue(),
            WarnDue(),
            MoneyCame(),
            MustEnd("x"),
            FoundUp(1),
            Leaving(),
        ],
    )
    def test_whatever_comes_after_the_end_changes_nothing(self, event: Event) -> None:
        call, _ = step(talking(), ended(S), POLICY, START)
        assert step(call, event, POLICY, START) == (call, ())
        assert step(call, ended(S), POLICY, START) == (call, ())


class TestMustEnd:
    @pytest.mark.parametrize(
        "call", [begin(LEG, PRICE, POLICY)[0], ringing(), talking(), begin(LEG, FREE, POLICY)[0]]
    )
    def test_whatever_it_is_about_it_is_killed_until_it_ends(self, call: Call) -> None:
        call, effects = step(call, MustEnd("account_suspended"), POLICY, START)
        assert call.phase is Phase.ENDING
        assert of(effects, KillLeg) == [KillLeg("MANAGER_REQUEST")]
        assert of(effects, Note) == [Note("CALL_ENDED", {"reason": "account_suspended"})]
        assert timers(effects) == {Timer.CUT: 0.5}
        _, effects = step(call, CutDue(), POLICY, START)
        assert of(effects, KillLeg) == [KillLeg("MANAGER_REQUEST")]

    def test_what_was_talked_is_settled_and_the_record_says_who_ended_it(self) -> None:
        call, _ = step(talking(), MustEnd("account_suspended"), POLICY, START)
        _, effects = step(call, ended(3 * S, "MANAGER_REQUEST"), POLICY, START)
        (settle,) = of(effects, Settle)
        assert (settle.end.ended_by, settle.refused, settle.charge.total) == (
            "agent",
            None,
            Decimal("0.0600"),
        )

    def test_a_caller_who_was_faster_ended_it_himself(self) -> None:
        call, _ = step(talking(), MustEnd("account_suspended"), POLICY, START)
        _, effects = step(call, ended(3 * S), POLICY, START)
        assert of(effects, Settle)[0].end.ended_by == "caller"

    def test_money_held_too_late_changes_nothing(self) -> None:
        call, _ = step(talking(), AskDue(), POLICY, START)
        call, _ = step(call, MustEnd("account_closed"), POLICY, START)
        assert step(call, Held(Decimal(9), Decimal(9)), POLICY, START) == (call, ())


def test_the_table_in_the_docstring_is_the_table_that_runs() -> None:
    rows = re.findall(r"^    (\w+) +(\w+) +(\w+) {2,}\S", machine.__doc__ or "", re.MULTILINE)
    written = {(phase, event) for phase, event, _ in rows if phase in set(Phase)}
    assert written == {(str(phase), event.__name__) for phase, event in TRANSITIONS}
