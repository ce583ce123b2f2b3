"""Seeded traffic: calls that come at random, as real ones do, and the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from esl_agent.core.leg import Product
from esl_agent.simulator.plan import CallPlan, Kind, Outcome

Choice = TypeVar("Choice")

#: Canada, US, Mexico, UK, toll-free, France: a mix of the classes that a deck tells apart.
DESTINATIONS: Final = (
    "15145550147",
    "14165550182",
    "12125550147",
    "13105550119",
    "525512345678",
    "442079460000",
    "18005550199",
    "33144556677",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Which part of the calls (0 to 1 each) does something other than be answered and end well."""

    busy: float = 0.0
    no_answer: float = 0.0
    cancelled: float = 0.0
    unavailable: float = 0.0
    failover: float = 0.0  # the first carrier refuses, the second takes it
    forwarded: float = 0.0
    inbound: float = 0.0
    transferred: float = 0.0
    early_media: float = 0.0
    callee_hangs_up: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficConfig:
    """How many calls of what kind.  No calls come by themselves while `calls_per_second` is 0."""

    calls_per_second: float = 0.0
    duration_s: float = 0.0  # 0: till `calls` have come, or for ever
    calls: int = 0  # 0: till `duration_s` is over
    seed: int = 1
    evenly: bool = False  # at even distances; else as a Poisson process
    accounts: tuple[str, ...] = ("1001",)
    destinations: tuple[str, ...] = DESTINATIONS
    dids: tuple[str, ...] = ("15145550199",)
    ring_ms: int = 200
    talk_ms_mean: float = 3000.0  # exponentially distributed …
    talk_ms_min: int = 500
    talk_ms_max: int = 3_600_000
    talk_exactly: bool = False  # … or always the mean
    shares: Shares = Shares()


class Traffic:
    """The calls to come: how long after the last one each is due, and what it is to be like."""

    def __init__(self, config: TrafficConfig) -> None:
        self.config = config
        self._random = random.Random(config.seed)  # noqa: S311 (repeatable, not secret)

    def calls(self) -> Iterator[tuple[int, CallPlan]]:
        """(µs since the traffic began, call), in order, as long as the configuration wants."""
        config = self.config
        if config.calls_per_second <= 0:
            return
        due_s, number = 0.0, 0
        while not config.calls or number < config.calls:
            yield int(due_s * 1_000_000), self.plan()
            number += 1
            mean_s = 1 / config.calls_per_second
            due_s += mean_s if config.evenly else self._random.expovariate(1 / mean_s)
            if config.duration_s and due_s >= config.duration_s:
                return

    def plan(self) -> CallPlan:
        """One call."""
        config, pick = self.config, self._random
        plan = CallPlan(
            account=pick.choice(config.accounts),
            number=pick.choice(config.destinations),
            caller=f"1514555{pick.randrange(10_000):04}",
            ring_ms=config.ring_ms,
            talk_ms=self._talk_ms(),
        )
        share = config.shares
        plan = self._from_outside(plan, share)
        outcome = self._one_of(
            (share.busy, Outcome.BUSY),
            (share.no_answer, Outcome.NO_ANSWER),
            (share.cancelled, Outcome.CANCELLED),
            (share.unavailable, Outcome.UNAVAILABLE),
        )
        if outcome is not None:
            return replace(plan, outcome=outcome)
        return replace(
            plan,
            carriers_refusing=int(pick.random() < share.failover),
            early_media_ms=config.ring_ms // 2 if pick.random() < share.early_media else None,
            hangup_by_callee=pick.random() < share.callee_hangs_up,
            transfer_to=pick.choice(config.destinations) if pick.random() < share.transferred else "",
            transfer_after_ms=max(1, plan.talk_ms // 2),
        )

    def _from_outside(self, plan: CallPlan, share: Shares) -> CallPlan:
        kind = self._one_of((share.forwarded, Kind.FORWARDED), (share.inbound, Kind.INBOUND))
        if kind is None:
            return plan
        product = Product.FORWARDING if kind is Kind.FORWARDED else Product.INBOUND
        return replace(plan, kind=kind, product=product, did=self._random.choice(self.config.dids))

    def _talk_ms(self) -> int:
        config = self.config
        talk_ms = config.talk_ms_mean
        if not config.talk_exactly:
            talk_ms = self._random.expovariate(1 / talk_ms)
        return int(min(max(talk_ms, config.talk_ms_min), config.talk_ms_max))

    def _one_of(self, *choices: tuple[float, Choice]) -> Choice | None:
        draw = self._random.random()
        for share, choice in choices:
            if draw < share:
                return choice
            draw -= share
        return None
