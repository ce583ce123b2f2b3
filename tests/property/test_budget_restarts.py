"""As test_budget_model.py, with a daemon that dies and is started again: still never a cent too much.

Recovery's part is played in one go: what the store holds is awaited, what the
switch has up is found, and what has ended meanwhile is settled from its files.
Where it leaves none, each leg that a daemon heard answered is settled from what
was kept of that, and of no other one a cent is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, cast

from fixtures.budget_purse import Hold, Purse, billed_s, cost
from fixtures.budget_world import LONDON, MS, POLICY, STORE_MS_MAX, TOO_LATE_MS, PriceList, SwitchLeg, World
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from test_budget_model import ACCOUNTS, CENTS, PRICES

from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.known import remember
from esl_agent.agent.pricing import Priced, Pricing
from esl_agent.agent.recovery.finds import Finds
from esl_agent.core.budget import next_billed_s, seconds_funded
from esl_agent.core.call_signals import Event, HoldMoney, Leaving
from esl_agent.core.leg import LegEnd, Quality
from esl_agent.core.money import ZERO
from esl_agent.core.price import Price
from esl_agent.store.cdrs import CdrRow, Source
from esl_agent.store.open_holds import OpenHold

#: Settlements that were on their way are in the journal, and in the books before calls are taken up again.
DOWN_MS_MIN: Final = 100
#: As many as there are carriers of a call.
LOOKS_MAX: Final = 3
#: Causes after which the caller is still there.
GOES_ON: Final = ("USER_BUSY", "LOSE_RACE")


class Nobody:
    """Where the daemon was: nothing is heard, and nothing is done."""

    live: Final[dict[str, object]] = {}

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


class MortalWorld(World):
    """A world whose daemon can die."""

    def __init__(self, purse: Purse, seed: int) -> None:
        super().__init__(purse, seed)
        self.is_up = True
        self._life = 0
        self._known: dict[str, str] = {}
        self._answers: dict[str, str] = {}
        self.heard: set[str] = set()  # legs that a daemon heard answered, and kept that
        self.has_files = self.always_has_files = True
        self._created: dict[str, SwitchLeg] = {}
        self._ends: dict[str, LegEnd] = {}
        self._callers_gone: dict[str, None] = {}
        self.survivors: set[str] = set()

    # The daemon's life.

    def die(self) -> None:
        self.is_up = False
        self._life += 1
        self._alarms.clear()
        self.desk = cast(Desk, Nobody())
        for leg in self.legs.values():
            leg.is_disturbed = True

    def forget_cuts(self) -> None:
        """Somebody took the cuts that the switch holds from its schedule: calls outlive their money."""
        for leg in self.legs.values():
            leg.switch_cut_at_us = None

    def leave(self) -> None:
        """It is told to stop: what is held is made to last first."""
        for leg_uuid in list(self.desk.live):
            self.desk.tell(leg_uuid, Leaving())

    def rise(self) -> None:
        self.is_up = True
        pricing = cast(Pricing, PriceList(self.legs))
        self.desk = Desk(
            policy=POLICY, pricing=pricing, now_us=lambda: self.now_us, timers=self,
            ask_hold=self._ask_hold, settle=self._settle, release=self._release, switchboard=self,
            keep_answer=self._keep_answer, log=_silent, live_max=1_000,
        )  # fmt: skip
        finds = Finds(self.desk, pricing, lambda: self.now_us, _silent)
        finds.await_again(self._open())
        for leg in self._created.values():
            if leg.ended_us is None:
                self.survivors.add(leg.leg.leg_uuid)
                finds.up(leg.leg)
            elif self.has_files and not self._is_settled(leg):
                self.desk.leg_ended(self._ends[leg.leg.leg_uuid], Source.SWITCH_FILE)
        if not self.has_files:
            self._conclude(finds)
        for caller in self._callers_gone:
            self.desk.caller_gone(caller)

    def _conclude(self, finds: Finds) -> None:
        """Of what is gone no file tells: look after look, until nothing more follows from that."""
        for _ in range(LOOKS_MAX):
            for leg_uuid in finds.awaited():
                leg = self.legs[leg_uuid]
                is_up = leg_uuid in self._created and leg.ended_us is None
                is_caller_gone = leg.caller_uuid in self._callers_gone
                if not is_up and finds.was_there(leg_uuid):
                    finds.vanished(leg_uuid, self.now_us, is_caller_gone=is_caller_gone)
                elif not is_up and is_caller_gone:
                    finds.never_came(leg_uuid)
            finds.await_again(self._open())  # as an audit does

    def _open(self) -> list[OpenHold]:
        """What the store says of legs that are not over: those that something is held for first."""
        holds = [
            OpenHold(account_id, leg_uuid, hold.held, self._known.get(leg_uuid), self._answers.get(leg_uuid))
            for account_id, account in self.purse.accounts.items()
            for leg_uuid, hold in account.holds.items()
            if hold.state == "held"
        ]
        held = {hold.leg_uuid for hold in holds}
        only_answered = [
            OpenHold(self.legs[leg_uuid].account_id, leg_uuid, ZERO, None, answer, is_held=False)
            for leg_uuid, answer in self._answers.items()
            if leg_uuid not in held
        ]
        return holds + only_answered

    def _is_settled(self, leg: SwitchLeg) -> bool:
        hold = self.purse.accounts[leg.account_id].holds.get(leg.leg.leg_uuid)
        return hold is not None and hold.state == "settled"

    # What is remembered of the switch and the store.

    def place(self, account_id: int, price: Price, talk_ms: int, **more: Any) -> None:
        if self.is_up:  # else the dialplan refuses
            super().place(account_id, price, talk_ms, **more)

    def ring_at_once(self, account_id: int, price: Price, talk_ms: int, **more: Any) -> None:
        if self.is_up:
            super().ring_at_once(account_id, price, talk_ms, **more)

    def _admit(self, legs: list[SwitchLeg], caller: str) -> bool:
        first = legs[0]
        priced = Priced(
            replace(first.leg, leg_uuid=caller), first.account_id, LONDON, first.price, "CAD", rule="funds"
        )
        planned = [(each.leg.leg_uuid, "alpha") for each in legs]
        self._known[first.leg.leg_uuid] = remember(priced, caller, planned, as_of_us=self.now_us)
        return super()._admit(legs, caller)

    def _create(self, leg: SwitchLeg) -> None:
        self._created[leg.leg.leg_uuid] = leg
        super()._create(leg)
        leg.is_disturbed |= not self.is_up

    def _end(self, leg: SwitchLeg, cause: str) -> None:
        if leg.ended_us is None:
            answered_us = leg.leg.answered_us
            talk_us = self.now_us - answered_us if answered_us else 0
            none = Quality(None, None, None)
            self._ends[leg.leg.leg_uuid] = LegEnd(
                leg.leg, self.now_us, talk_us, cause, 200, "caller", none, None
            )
            if cause not in GOES_ON:
                self._callers_gone[leg.caller_uuid] = None
        super()._end(leg, cause)

    def _tell(self, leg: SwitchLeg, what: str, do: Callable[[], None]) -> None:
        """An event reaches the daemon that it was sent to, and no later one."""
        life = self._life if self.is_up else None
        super()._tell(leg, what, lambda: do() if life == self._life and self.is_up else None)

    def _ask_hold(
        self,
        account_id: int,
        leg_uuid: str,
        ask: HoldMoney,
        tell: Callable[[Event], None],
        known: str,
        takes_from: tuple[str, ...],
        *,
        can_wait: bool,
    ) -> None:
        life = self._life
        self._known[leg_uuid] = known
        mine = lambda event: tell(event) if life == self._life else None  # noqa: E731
        super()._ask_hold(account_id, leg_uuid, ask, mine, known, takes_from, can_wait=can_wait)

    def _keep_answer(self, account_id: int, leg_uuid: str, known: str) -> None:
        """Into the journal: whatever happens then, it is in the store before calls are taken up again."""
        self.heard.add(leg_uuid)

        def keep() -> None:
            if not self._is_settled(self.legs[leg_uuid]):
                self._answers.setdefault(leg_uuid, known)

        self._in_order("settlements", STORE_MS_MAX, keep)

    def _settled(self, row: CdrRow, hand_to: str | None) -> None:
        super()._settled(row, hand_to)
        self._answers.pop(row.leg_uuid, None)

    def _settle(self, row: CdrRow, hand_to: str | None) -> None:
        if hand_to and row.leg_uuid in self._known:
            self._known.setdefault(hand_to, self._known[row.leg_uuid])
        super()._settle(row, hand_to)

    def kill(self, leg_uuid: str, cause: str) -> None:
        if cause == "ALLOTTED_TIMEOUT" and leg_uuid in self.survivors:
            self._check_survivors_cut(self.legs[leg_uuid])
        super().kill(leg_uuid, cause)

    def _check_survivors_cut(self, leg: SwitchLeg) -> None:
        """A call that was taken up again is cut only when the store has nothing for its next step."""
        account = self.purse.accounts[leg.account_id]
        hold = account.holds.get(leg.leg.leg_uuid, Hold())
        if leg.ended_us is not None or leg.answers_due:
            return
        talked_us = self.now_us - (leg.leg.answered_us or self.now_us)
        next_s = max(
            next_billed_s(leg.price, seconds_funded(leg.price, hold.held)), billed_s(leg.price, talked_us)
        )
        could_pay = account.is_active and cost(leg.price, next_s) - hold.held <= account.available
        since_ms = (self.now_us - account.money_came_us) / MS
        assert not could_pay or since_ms <= TOO_LATE_MS, f"cut though it had money: {leg}"


class Restarts(RuleBasedStateMachine):
    """Callers, customers, and a daemon that dies, or is stopped for an upgrade."""

    @initialize(seed=st.integers(0, 2**32), balances=st.tuples(CENTS, CENTS))
    def begin(self, seed: int, balances: tuple[Decimal, Decimal]) -> None:
        self.purse = Purse()
        self.world = MortalWorld(self.purse, seed)
        self.paid_in = dict(zip(ACCOUNTS, balances, strict=True))
        for account_id, balance in self.paid_in.items():
            self.purse.open(account_id, balance, ZERO)

    @rule(
        account_id=st.sampled_from(ACCOUNTS),
        price=st.sampled_from(PRICES),
        talk_ms=st.integers(0, 90_000),
        ring_ms=st.sampled_from((0, 5, 1_000)),
        carriers=st.integers(1, 3),
        is_admitted=st.booleans(),
        calls=st.integers(1, 3),
    )
    def place(self, calls: int, **call: object) -> None:
        for _ in range(calls):
            self.world.place(**call)  # type: ignore[arg-type]

    @rule(
        account_id=st.sampled_from(ACCOUNTS),
        price=st.sampled_from(PRICES),
        talk_ms=st.integers(100, 40_000),
        legs_answers=st.sampled_from(((2, 1), (2, 2), (3, 1), (3, 2), (2, 0))),
        is_admitted=st.booleans(),
    )
    def ring_at_once(self, legs_answers: tuple[int, int], **call: object) -> None:
        legs, answers = legs_answers
        self.world.ring_at_once(legs=legs, answers=answers, **call)  # type: ignore[arg-type]

    @rule(ms=st.sampled_from((20, 300, 1_000, 5_500, 6_000, 20_000)))
    def wait(self, ms: int) -> None:
        self.world.run(self.world.now_us + ms * MS)

    @rule(account_id=st.sampled_from(ACCOUNTS), amount=CENTS)
    def top_up(self, account_id: int, amount: Decimal) -> None:
        self.paid_in[account_id] += amount
        self.purse.top_up(account_id, amount, self.world.now_us)
        self.world.account_changed(account_id)

    @rule(
        down_ms=st.sampled_from((DOWN_MS_MIN, 1_000, 4_000, 30_000)),
        is_stopped=st.booleans(),
        forgets_cuts=st.booleans(),
        has_files=st.booleans(),
    )
    def restart(self, down_ms: int, is_stopped: bool, forgets_cuts: bool, has_files: bool) -> None:
        if is_stopped:
            self.world.leave()
            self.wait(DOWN_MS_MIN)
        self.world.die()
        if forgets_cuts:
            self.world.forget_cuts()
        self.wait(down_ms)
        self.world.has_files = has_files
        self.world.always_has_files &= has_files
        self.world.rise()

    @invariant()
    def nothing_is_spent_twice(self) -> None:
        for account_id, account in self.purse.accounts.items():
            assert account.available >= 0
            assert account.balance == self.paid_in[account_id] - self.world.charged.get(account_id, ZERO)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.run()
        self.nothing_is_spent_twice()
        assert not self.world.desk.live, "every call has ended"
        for account in self.purse.accounts.values():
            assert account.reserved == 0, "nothing is reserved for a call that is over"
        for leg_uuid, leg in self.world._created.items():
            is_known = leg_uuid in self.world.heard or self.world.always_has_files
            assert self.world._is_settled(leg) or not is_known, f"a leg without a CDR: {leg}"


TestRestarts = Restarts.TestCase
TestRestarts.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def _silent(word: str, /, **fields: object) -> None:
    """No log."""
