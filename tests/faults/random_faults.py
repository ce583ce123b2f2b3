"""Faults at random while calls of every kind come: the same ones for the same seed.

Time goes in rounds, each with a stage of its own and the audit at its end, so
that a round that went wrong can be played again alone.  Each subject (a daemon,
the switch, Postgres, the ways between them) has a course of its own: peace, a
trouble, peace again.  Troubles of different subjects overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import gevent

from .agent import Agent
from .audit import Audit
from .cluster import Cluster
from .proxy import BACK, FORTH, Proxy
from .stage import Stage
from .switch import Switch

ROUND_S: Final = 60.0
CALLS_PER_SECOND: Final = 12.0
#: For how long a subject is left in peace, at least and at most.
PEACE_S: Final = (1.0, 12.0)
#: What may come of it: what a late kill let through; of a leg that left no file, how long it talked; and such
#: a leg itself, where no daemon heard it answered, or was killed in the same moment.
ALLOWED: Final = ("estimated", "untold", "uncollected")

Order = Callable[[Random], object]


def nothing() -> None:
    """What ends by itself."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """`begin` may draw how bad it is; it lasts so long at the least and at the most, then `end` mends it."""

    begin: Order
    end: Callable[[], object] = nothing
    least_s: float = 0.1
    most_s: float = 5.0


def of_agent(agent: Agent) -> Sequence[Trouble]:
    return (
        Trouble(lambda random: agent.kill(), agent.begin),
        Trouble(lambda random: agent.kill(), agent.begin, most_s=0.2),
        Trouble(lambda random: agent.stop(), agent.begin),
        Trouble(lambda random: agent.freeze(), agent.thaw, most_s=8.0),
        Trouble(lambda random: agent.fill_disk(), agent.empty_disk),
    )


def of_postgres(cluster: Cluster) -> Sequence[Trouble]:
    return (
        Trouble(lambda random: cluster.stop(), cluster.start),
        Trouble(lambda random: cluster.kill(), cluster.start),
        Trouble(lambda random: cluster.read_only(), lambda: cluster.read_only(False)),
        Trouble(lambda random: cluster.freeze(), cluster.thaw),
        Trouble(lambda random: cluster.fill_disk(), cluster.empty_disk),
    )


def of_way(way: Proxy) -> Sequence[Trouble]:
    return (
        Trouble(lambda random: way.cut(), most_s=0.5),
        Trouble(lambda random: way.refuse(), way.heal),
        Trouble(lambda random: way.stall(), way.heal),
        Trouble(lambda random: way.stall(FORTH), way.heal),
        Trouble(lambda random: way.stall(BACK), way.heal),
        Trouble(lambda random: way.half_open(), way.heal),
        Trouble(lambda random: way.truncate(random.randrange(20_000)), way.heal),
        Trouble(lambda random: way.slow(random.uniform(0.01, 0.2)), way.heal),
    )


def of_switch(switch: Switch) -> Sequence[Trouble]:
    return (
        Trouble(lambda random: switch.drop_events(random.randint(1, 10))),
        Trouble(lambda random: switch.drop_events(random.randint(1, 5), "CHANNEL_HANGUP_COMPLETE")),
        Trouble(lambda random: switch.duplicate_events(random.randint(1, 100))),
        Trouble(lambda random: switch.reorder(random.randrange(1_000)), switch.behave),
        Trouble(lambda random: switch.truncate_next()),
        Trouble(lambda random: switch.stall(random.uniform(0.1, 4.0))),
        Trouble(lambda random: switch.disconnect()),
        Trouble(lambda random: switch.slow_commands(random.randint(20, 500)), switch.behave),
        Trouble(lambda random: switch.lose_commands(random.randint(1, 3))),
        Trouble(lambda random: switch.lose_replies(random.randint(1, 3))),
        Trouble(lambda random: switch.skip_cdr_files(random.randint(1, 5))),
        Trouble(lambda random: switch.truncate_cdr_files(random.randint(1, 5))),
        Trouble(lambda random: switch.restart(down_s=random.uniform(0.0, 3.0))),
        Trouble(lambda random: switch.restart(down_s=random.uniform(0.0, 3.0), graceful=True)),
    )


def subjects(stage: Stage) -> Mapping[str, Sequence[Trouble]]:
    """What may be broken on this stage, and how."""
    found = {"postgres": of_postgres(stage.postgres)}
    for number, switch in enumerate(stage.switches, 1):
        found[f"switch {number}"] = of_switch(switch)
    for agent in stage.agents:
        found[agent.name] = of_agent(agent)
        found[f"{agent.name} to switch"] = of_way(agent.to_switch)
        found[f"{agent.name} to postgres"] = of_way(agent.to_postgres)
    return found


def play_round(stage: Stage, seed: str, seconds: float = ROUND_S, *, allowed: Collection[str] = ()) -> Audit:
    """Break things for so long while calls come, and audit; raises AssertionError as `Stage.finish`."""
    courses = [
        gevent.spawn(_follow, troubles, Random(f"{seed} {name}"), seconds)
        for name, troubles in subjects(stage).items()
    ]
    try:
        with stage.traffic(CALLS_PER_SECOND, seconds, seed=Random(seed).randrange(2**32)):
            gevent.joinall(courses, raise_error=True)
    finally:
        gevent.killall(courses)
    return stage.finish(allowed=[*ALLOWED, *allowed])


def _follow(troubles: Sequence[Trouble], random: Random, seconds: float) -> None:
    for peace_s, trouble, lasts_s in _course(troubles, random, seconds):
        gevent.sleep(peace_s)
        trouble.begin(random)
        gevent.sleep(lasts_s)
        trouble.end()


def _course(
    troubles: Sequence[Trouble], random: Random, seconds: float
) -> Iterator[tuple[float, Trouble, float]]:
    """(seconds of peace, the trouble that ends it, seconds that it lasts), as long as there is time."""
    at_s = 0.0
    while True:
        peace_s, trouble = random.uniform(*PEACE_S), random.choice(troubles)
        lasts_s = random.uniform(trouble.least_s, trouble.most_s)
        at_s += peace_s + lasts_s
        if at_s > seconds:
            return
        yield peace_s, trouble, lasts_s
