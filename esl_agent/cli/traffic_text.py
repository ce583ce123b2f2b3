"""A restriction in words, to be read to a customer on the telephone."""

from __future__ import annotations

from collections.abc import Iterator

from esl_agent.cli.output import table_text
from esl_agent.config import Config
from esl_agent.core.traffic.restriction import TRAFFIC, Restriction
from esl_agent.core.traffic.verdict import Action
from esl_agent.noc.log import mask_number
from esl_agent.store.accounts import Account
from esl_agent.store.cdrs import to_time
from esl_agent.store.restrictions import Kept


def hidden(number: str, config: Config) -> str:
    """The number, or its last digits where the log shows no more."""
    return mask_number(number) if config.log.mask_numbers else number


def ended_text(kept: Kept, now_us: int) -> str:
    """How it ended; "" while it is open."""
    if kept.cleared_at is not None:
        return f"cleared by {kept.cleared_by}: {kept.cleared_reason}"
    return "" if kept.restriction.is_open(now_us) else "its time was over"


def explanation(kept: Kept, account: Account, config: Config) -> str:
    return "\n".join(_lines(kept, account, config))


def _lines(kept: Kept, account: Account, config: Config) -> Iterator[str]:
    made = kept.restriction
    name = f" ({account.name})" if account.name else ""
    yield f"Restriction {made.restriction} of account {account.account_id}{name}: {made.action}"
    yield ""
    yield f"Since {_time(made.since_us)} {effect(made, config)}."
    yield from _what_became_of_calls(made, config)
    if made.made_by != TRAFFIC:
        yield f"{made.made_by} decided so: {made.reason}"
    else:
        about = f"the traffic of {hidden(made.did, config)}" if made.did else "the account's traffic"
        yield f"The rule {made.rule!r} asked for it by itself, for what {about} was like."
    yield from _figures(kept)
    yield from _calls(kept, config)
    yield ""
    yield from _end(kept)


def effect(made: Restriction, config: Config) -> str:
    """What the restriction does."""
    match made.action:
        case Action.ALERT:
            return "somebody should look at this traffic; nothing is restricted"
        case Action.THROTTLE:
            most = [f"{made.max_calls} at a time"] * (made.max_calls is not None)
            most += [f"{made.calls_per_second} a second"] * (made.calls_per_second is not None)
            return f"calls out are held to {' and '.join(most)}"
        case Action.TOLL_FREE_OFF:
            is_rated = config.traffic.toll_free_when_off == "rate"
            done = "charged like any other call" if is_rated else "refused"
            return f"calls to toll-free numbers are {done}; all other calls go on"
        case Action.SUSPEND_OUTBOUND:
            return "calls out are refused; calls that come in go on"
        case Action.SUSPEND_DID:
            return (
                f"calls to {hidden(made.did, config)}, forwarded by it or showing it as caller ID are refused"
            )
        case Action.SUSPEND_ACCOUNT:
            return "all calls, in and out, are refused"


def _what_became_of_calls(made: Restriction, config: Config) -> Iterator[str]:
    if made.action in (Action.ALERT, Action.THROTTLE):
        return
    were_ended = made.ends_calls and config.admission.suspended_calls == "end"
    what = "were ended" if were_ended else "could finish"
    yield f"Calls that were up {what}. Calls to 911 and 988 always go out."


def _figures(kept: Kept) -> Iterator[str]:
    if kept.figures:
        yield ""
        yield "What was measured, and what the rule allows:"
        columns = ("measure", "window", "was", "threshold", "calls")
        rows = [
            (each.measure.replace("_", " "), each.window, each.value, each.threshold, each.sample)
            for each in kept.figures
        ]
        yield table_text(columns, rows, numbers=("was", "threshold", "calls"))


def _calls(kept: Kept, config: Config) -> Iterator[str]:
    if kept.calls:
        yield ""
        yield f"The last {len(kept.calls)} of the calls that made it (UTC):"
        rows = [
            (
                to_time(call.at_us),
                hidden(call.number, config),
                f"{call.talk_us / 1_000_000:.1f}",
                call.leg_uuid,
            )
            for call in kept.calls
        ]
        yield table_text(("at", "number", "talked s", "leg"), rows, numbers=("talked s",))


def _end(kept: Kept) -> Iterator[str]:
    made = kept.restriction
    if kept.cleared_at is not None:
        yield f"{kept.cleared_by} lifted it at {kept.cleared_at:%Y-%m-%d %H:%M:%S} UTC: {kept.cleared_reason}"
        return
    if made.until_us is None:
        yield "It lasts until somebody lifts it:"
    else:
        yield f"It ends by itself at {_time(made.until_us)}, unless somebody lifts it before:"
    yield f'    esl-agent traffic clear {made.restriction} --reason "…"'


def _time(us: int) -> str:
    return f"{to_time(us):%Y-%m-%d %H:%M:%S} UTC"
