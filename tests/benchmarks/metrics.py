"""What it costs that calls are counted, beside what their lines in the log cost; and what a scrape does.

Run it with `python -m tests.benchmarks.metrics`.  A call here is what a plain one says: asked for, sent
out, answered, extended once and rated, with the six events of its two legs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from esl_agent.noc.exposition import Exposition
from esl_agent.noc.log import Log, open_log
from esl_agent.noc.tally import Tally

CALLS: Final = 2_000
ROUNDS: Final = 9
SCRAPES: Final = 50
EVENTS_OF_A_CALL: Final = 6

LEG: Final = {
    "leg": "f7072568-ca1f-4ebc-9243-7e3e0cf03433",
    "account": 1001,
    "product": "termination",
    "to": "12125550147",
}
WORDS: Final = (
    ("CALL_ADMITTED", {**LEG, "held": Decimal("0.0130"), "carriers": 2, "took_ms": 3.1}),
    ("CALL_TRYING", {**LEG, "carrier": "alpha"}),
    ("CALL_ANSWERED", {**LEG, "paid_s": 60}),
    ("CALL_EXTENDED", {**LEG, "held": Decimal("0.0260"), "paid_s": 120, "available": Decimal("9.9740")}),
    (
        "CALL_RATED",
        {
            **LEG,
            "number_class": "us",
            "talk_s": "61.040",
            "billed_s": 66,
            "total": Decimal("0.0143"),
            "charged": Decimal("0.0143"),
            "balance": Decimal("9.9857"),
            "currency": "CAD",
            "carrier": "alpha",
            "cause": "NORMAL_CLEARING",
            "refused": None,
            "source": None,
        },
    ),
)


def measure() -> dict[str, float]:
    tally = Tally()
    exposition = Exposition([tally.readings])
    with open(os.devnull, "w") as nowhere:
        plain, close_plain = open_log(style="plain", stream=nowhere)
        counted, close_counted = open_log(style="plain", stream=nowhere, hear=tally.hear)
        without_us = _best_us(lambda: _say(plain), CALLS)
        with_us = _best_us(lambda: _say_and_time(counted, tally), CALLS)
        close_plain()
        close_counted()
    return {
        "log_us_per_call": round(without_us, 1),
        "log_and_count_us_per_call": round(with_us, 1),
        "count_us_per_call": round(with_us - without_us, 1),
        "scrape_ms": round(_best_us(lambda: exposition.render(""), SCRAPES) / 1_000, 2),
        "scrape_bytes": len(exposition.render("")[0]),
    }


def _say(log: Log) -> None:
    for word, fields in WORDS:
        log(word, **fields)


def _say_and_time(log: Log, tally: Tally) -> None:
    _say(log)
    for _ in range(EVENTS_OF_A_CALL):
        tally.event_done(1_000_000, 1_003_000)


def _best_us(work: Callable[[], object], times: int) -> float:
    """CPU time of one, in the best of some rounds."""
    best_ns = min(_round_ns(work, times) for _ in range(ROUNDS))
    return best_ns / times / 1_000


def _round_ns(work: Callable[[], object], times: int) -> int:
    began_ns = time.process_time_ns()
    for _ in range(times):
        work()
    return time.process_time_ns() - began_ns


if __name__ == "__main__":
    print(json.dumps(measure()))
