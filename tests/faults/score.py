"""What scenarios came to, added up."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .stage import Stage


@dataclass(slots=True)
class Score:
    """Sums over all scenarios that ended with an audit; money in the account's currency."""

    scenarios: int = 0
    calls: int = 0
    legs: int = 0
    recovered: int = 0
    faults: int = 0
    lost: int = 0
    untold: int = 0
    doubled: int = 0
    invented: int = 0
    differing: int = 0
    estimated: int = 0
    cut: int = 0
    held: int = 0
    overspent: Decimal = Decimal("0.0000")
    uncollected: Decimal = Decimal("0.0000")

    def add(self, stage: Stage) -> None:
        found = stage.outcome
        self.scenarios += 1
        self.calls += stage.calls
        self.legs += found.legs
        self.recovered += found.recovered
        self.faults += len(stage.faults)
        self.lost += len(found.lost)
        self.untold += len(found.untold)
        self.doubled += len(found.doubled)
        self.invented += len(found.invented)
        self.differing += len(found.differing)
        self.estimated += len(found.estimated)
        self.cut += len(found.cut)
        self.held += len(found.held)
        self.overspent += found.overdrawn
        self.uncollected += sum(found.uncollected.values())

    def figures(self) -> dict[str, int | Decimal]:
        """The sums by their names, for people."""
        return {
            "scenarios": self.scenarios,
            "calls": self.calls,
            "legs billed": self.legs,
            "CDRs recovered": self.recovered,
            "faults injected": self.faults,
            "lost": self.lost,
            "untold": self.untold,
            "doubled": self.doubled,
            "invented": self.invented,
            "differing": self.differing,
            "estimated": self.estimated,
            "cut with money": self.cut,
            "still held": self.held,
            "overspent": self.overspent,
            "uncollected": self.uncollected,
        }

    def table(self) -> str:
        """Name and figure, a line each."""
        return "\n".join(f"{name:<16}{figure:>12}" for name, figure in self.figures().items())
