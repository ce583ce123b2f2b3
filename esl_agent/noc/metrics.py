"""The catalogue of metrics: what each measures, and what it is told apart by.

No metric has a label by account, number or call: everybody who calls would be
a time series of his own, for ever.  What one account does is in the log and in
its CDRs.  The docs page docs/metrics.md is held to this table by a test.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """`meaning` is for a stranger; the unit is what the name ends with.

    Where a word of the log stands, each time that it is said adds 1, or what its
    field `amount` says; the labels are then fields of the word too (noc/tally.py).
    """

    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    word: str = ""
    amount: str = ""


def _count(meaning: str, *labels: str, word: str = "", amount: str = "") -> Metric:
    return Metric("counter", meaning, labels, word, amount)


def _now(meaning: str, *labels: str) -> Metric:
    return Metric("gauge", meaning, labels)


def _spread(meaning: str) -> Metric:
    return Metric("histogram", meaning)


METRICS: Final[dict[str, Metric]] = {
    # Calls.
    "esl_agent_calls_live": _now("Billed legs that are up now, ringing or talking."),
    "esl_agent_calls_live_limit": _now("How many legs that cost money may be up at once."),
    "esl_agent_calls_admitted_total": _count(
        "Calls that may go on, money is held or they are free; `asked`: at a door, or the leg just came.",
        "product",
        "asked",
        word="CALL_ADMITTED",
    ),
    "esl_agent_calls_refused_total": _count(
        "Calls that were refused, by the reason (docs/admission.md).", "reason", word="CALL_REFUSED"
    ),
    "esl_agent_calls_answered_total": _count("Billed legs that were answered.", word="CALL_ANSWERED"),
    "esl_agent_calls_extended_total": _count(
        "How often more money was held for a live call.", word="CALL_EXTENDED"
    ),
    "esl_agent_calls_low_balance_total": _count(
        "How often no more could be held for a live call, by the reason (docs/budget.md).",
        "reason",
        word="CALL_LOW_BALANCE",
    ),
    "esl_agent_calls_cut_total": _count(
        "Calls that the agent ended because what was held for them is used up.", word="CALL_CUT"
    ),
    "esl_agent_calls_ended_total": _count(
        "Calls that the agent ended though they had money, by the reason: `killed` is by a person.",
        "reason",
        word="CALL_ENDED",
    ),
    "esl_agent_calls_recovered_total": _count(
        "Legs that were found up after a restart or a gap, and are metered again.", word="CALL_RECOVERED"
    ),
    "esl_agent_calls_gone_total": _count("Legs whose end was found out without its event.", word="CALL_GONE"),
    # Money.
    "esl_agent_rated_amount_total": _count(
        "What calls that are over cost, in the currency of their accounts, collected or not.",
        "number_class",
        "currency",
        word="CALL_RATED",
        amount="total",
    ),
    "esl_agent_uncollected_amount_total": _count(
        "What calls cost above what was held for them, and nobody pays.",
        "currency",
        word="CALL_UNCOLLECTED",
        amount="uncollected",
    ),
    "esl_agent_billed_seconds_total": _count(
        "Seconds that calls were billed for.", "number_class", word="CALL_RATED", amount="billed_s"
    ),
    "esl_agent_cdrs_total": _count(
        "CDRs written to Postgres, those of refused calls too, by how the end of the leg is known.",
        "source",
        word="CALL_RATED",
    ),
    "esl_agent_carrier_legs_total": _count(
        "Legs that are over, by who carried them, and whether they were answered; `none`: no carrier did.",
        "carrier",
        "answered",
        word="CALL_RATED",
    ),
    # How long things take.
    "esl_agent_admission_seconds": _spread("From a call's question at a door to its answer."),
    "esl_agent_cut_early_seconds": _spread("How long before its paid end a call was over that was cut."),
    "esl_agent_cut_late_seconds": _spread(
        "How long after its paid end a call was over that was cut: it talked unpaid meanwhile."
    ),
    "esl_agent_event_lag_seconds": _spread(
        "From the switch's stamp on an event of a call to when the agent was done with it."
    ),
    "esl_agent_timers_late_seconds": _now("How late the timer of a cut rang, at the most in the last 10 s."),
    # What waits.
    "esl_agent_queue_length": _now("What waits in a queue, by the name that QUEUE_FULL has for it.", "queue"),
    "esl_agent_queue_limit": _now("What a queue may hold.", "queue"),
    "esl_agent_journal_accepting": _now(
        "1 while the journal has room for what new calls will cost; else they are refused."
    ),
    "esl_agent_journal_waiting_records": _now("What calls cost or give back that is not in Postgres yet."),
    "esl_agent_journal_oldest_waiting_seconds": _now(
        "How long ago the call ended whose CDR waits the longest; 0 where none waits."
    ),
    "esl_agent_journal_bytes": _now("What the journal's folder holds."),
    "esl_agent_journal_limit_bytes": _now("What the journal's folder may hold ([journal] size_max_mb)."),
    "esl_agent_journal_free_bytes": _now("What the journal's disk has free."),
    "esl_agent_journal_free_min_bytes": _now("What the disk has to have free ([journal] free_min_mb)."),
    # Postgres.
    "esl_agent_database_up": _now("1 while Postgres answers."),
    "esl_agent_database_outages_total": _count("How often Postgres did not answer what it was asked."),
    "esl_agent_database_refusals_total": _count(
        "Statements that Postgres answered with an error.", "statement", word="DB_REFUSED"
    ),
    "esl_agent_database_connections": _now("Connections of the pool, by whether they are in use.", "state"),
    "esl_agent_database_connections_limit": _now("Connections that the pool may have ([database] pool_max)."),
    "esl_agent_database_waiting": _now("Who waits for a connection of the pool."),
    "esl_agent_settlement_retries_total": _count("How often CDRs had to be sent to Postgres again."),
    # The switch.
    "esl_agent_switch_up": _now("1 while the event socket is up and subscribed."),
    "esl_agent_switch_losses_total": _count("How often the event socket was lost.", word="SWITCH_LOST"),
    "esl_agent_switch_gaps_total": _count(
        "How often events were missed, or the switch was restarted.", word="SWITCH_GAP"
    ),
    "esl_agent_switch_commands_failed_total": _count(
        "Commands that the switch refused or did not answer in time.", word="SWITCH_COMMAND_FAILED"
    ),
    "esl_agent_switch_round_trip_seconds": _now("How long a command took, at the most in the last 10 s."),
    "esl_agent_recoveries_total": _count(
        "How often live calls were compared with those that the switch has.", word="RECOVERY_DONE"
    ),
    "esl_agent_door_trouble_total": _count(
        "What went wrong where calls are asked about, by the kinds of docs/log.md.",
        "door",
        "kind",
        word="DOOR_TROUBLE",
        amount="times",
    ),
    # The daemon.
    "esl_agent_active": _now("1 where this daemon looks after the switch's calls, 0 in standby.", "switch"),
    "esl_agent_twin_enabled": _now("1 where another daemon is to stand by ([twin] enabled).", "switch"),
    "esl_agent_log_words_total": _count(
        "How often each word was said to the log (docs/log.md), written out or not.", "level", "word"
    ),
    "esl_agent_build_info": _now("Always 1; which version runs.", "version"),
}
