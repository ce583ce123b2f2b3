"""What the daemon knows, as rows of the live page."""

from __future__ import annotations

from datetime import date

from esl_agent.agent.book import Payer
from esl_agent.agent.calls.live_call import LiveCall
from esl_agent.core import budget
from esl_agent.core.call import Phase, paid_end_us
from esl_agent.core.call_state import talk_end_us
from esl_agent.noc.alerts import Alert, Refused
from esl_agent.noc.minutes import Minute
from esl_agent.web.live.rows import AlertRow, BalanceRow, CallRow, MinuteRow, RefusalRow


def call_row(live: LiveCall) -> CallRow:
    call, priced = live.call, live.priced
    leg, price = call.leg, call.price
    paid_us = funded_us = None
    if call.phase is Phase.TALKING and budget.is_metered(price):
        paid_us = paid_end_us(call)
        funded_us = paid_us if call.funded_s is None else talk_end_us(call, call.funded_s)
    return CallRow(
        leg_uuid=leg.leg_uuid,
        account=str(priced.account_id),
        product=leg.product or "",
        caller=leg.caller_number,
        to=priced.number.digits or leg.priced_number,
        country=priced.number.country,
        destination=price.destination,
        carrier=leg.carrier,
        forwarded_from=leg.forwarded_from,
        phase=call.phase,
        began_us=leg.created_us,
        answered_us=call.answered_us,
        is_free=price.is_free,
        rate_per_minute=str(price.rate_per_minute),
        forwarding_rate_per_minute=str(price.forwarding_rate_per_minute),
        flat=str(price.connection_fee + price.payphone_surcharge),
        minimum_s=price.minimum_s,
        step_s=price.step_s,
        grace_ms=price.grace_ms,
        currency=priced.currency,
        held=str(call.held),
        paid_until_us=paid_us,
        funded_until_us=funded_us,
        is_low=call.is_last,
    )


def balance_row(payer: Payer, today: date) -> BalanceRow:
    account = payer.account
    return BalanceRow(
        str(account.account_id), account.name, str(account.available),
        str(account.balance + account.credit_limit), account.currency, account.calls_up,
        str(account.spent_today(today)),
    )  # fmt: skip


def alert_row(alert: Alert) -> AlertRow:
    return AlertRow(
        alert.key, alert.word, alert.level, alert.count, alert.first_us, alert.last_us, alert.stands,
        alert.ended_us, alert.fields,
    )  # fmt: skip


def refusal_row(refused: Refused) -> RefusalRow:
    return RefusalRow(
        refused.number, refused.at_us, refused.account, refused.caller, refused.to, refused.reason,
        refused.detail,
    )  # fmt: skip


def minute_row(minute: Minute) -> MinuteRow:
    spend = {currency: str(amount) for currency, amount in minute.spend.items()}
    return MinuteRow(
        minute.begins_us, minute.admitted, minute.answered, dict(minute.refused), minute.cut, minute.ended,
        spend, minute.up_max,
    )  # fmt: skip
