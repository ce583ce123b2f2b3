"""Watches who uses customers' phones: wrong passwords, new networks, and spending that follows (terms 14).

core.phones decides.  What the switch tells is counted at once, in its turn;
what needs the database waits in a queue, so that no call waits for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import psycopg

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.clock import monotonic_us
from esl_agent.agent.database import OUTAGE, Database
from esl_agent.config import PhonesConfig
from esl_agent.core import money
from esl_agent.core.phones import (
    Attack,
    Failures,
    Phone,
    Spending,
    SpikePolicy,
    is_spike,
    network_of,
    phone_named,
)
from esl_agent.noc.log import Log
from esl_agent.store import accounts, networks
from esl_agent.store.accounts import AccountError
from esl_agent.store.pool import Connection
from esl_agent.switch.events import RegisterAttempt, text_of

#: What waits for the database; beyond it a phone's next registration is written instead.
QUEUE_MAX: Final = 20_000
BATCH_MAX: Final = 100
#: A phone that registers every minute is written once in this time.
SEEN_AGAIN_US: Final = 3_600_000_000
#: Phones and where they were; one that is forgotten is written again.
SEEN_MAX: Final = 50_000
#: How often the spending of accounts with a new network is looked at.
LOOK_EVERY_S: Final = 60
#: Of an account's new networks, the newest so many are named.
NETWORKS_SAID_MAX: Final = 5
#: By whom an account is suspended, as its state says.
BY: Final = "phones"
SPIKE_REASON: Final = "spends far more than usual since it is used from a new network"

#: mod_sofia's words.
RIGHT: Final = ("SUCCESS", "RENEWED")
WRONG: Final = "FORBIDDEN"
NO_NAME: Final = "unknown"


class Seen(NamedTuple):
    """A phone was used from a network, with its password."""

    phone: Phone
    network: str


class PhoneWatch:
    """`heard` takes what the switch tells, `run` writes and says it, `look` is for now and then."""

    def __init__(
        self,
        config: PhonesConfig,
        database: Database,
        log: Log,
        *,
        may_act: Callable[[], bool] = lambda: True,
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self._config = config
        self._policy = SpikePolicy(config.spike_factor, money.amount(config.spike_min_amount))
        self._database = database
        self._log = log
        self._may_act = may_act
        self._now_us = now_us
        self._failures = Failures(config.failures_max, config.failures_window_s * 1_000_000)
        self._seen = OrderedDict[Seen, int]()
        self._queue = BatchQueue[Seen | Attack](QUEUE_MAX, BATCH_MAX)
        self._is_full = False

    def heard(self, attempt: RegisterAttempt) -> None:
        """A phone gave a password; returns at once."""
        network = network_of(text_of(attempt.address))
        if network is None:
            return
        result = text_of(attempt.result)
        if result in RIGHT:
            self._saw(Seen(_phone_of(attempt), network))
        elif result == WRONG:
            attack = self._failures.failed(_phone_of(attempt), network, self._now_us())
            if attack is not None and not self._put(attack):
                self._say(attack, None)

    def _saw(self, seen: Seen) -> None:
        now_us = self._now_us()
        before_us = self._seen.get(seen)
        if before_us is not None and now_us - before_us < SEEN_AGAIN_US:
            return
        if self._put(seen):
            self._seen[seen] = now_us
            self._seen.move_to_end(seen)
            if len(self._seen) > SEEN_MAX:
                self._seen.popitem(last=False)

    def _put(self, item: Seen | Attack) -> bool:
        try:
            self._queue.put(item)
        except QueueFullError:
            if not self._is_full:
                self._is_full = True
                self._log("QUEUE_FULL", queue="phones", limit=QUEUE_MAX)
            return False
        self._is_full = False
        return True

    # With the database.

    def run(self) -> None:
        self._queue.run(self._work)

    def _work(self, batch: Sequence[Seen | Attack]) -> None:
        for item in batch:
            try:
                with self._database.connection() as conn:
                    self._write(conn, item)
            except OUTAGE:
                self._give_up(item)  # DB_DOWN says it
            except psycopg.Error as error:
                self._refused(error)
                self._give_up(item)

    def _write(self, conn: Connection, item: Seen | Attack) -> None:
        if isinstance(item, Attack):
            self._say(item, item.phone and networks.account_of(conn, item.phone))
            return
        sighting = networks.saw(conn, item.phone, item.network)
        if sighting is not None and sighting.is_new and sighting.others:
            self._log(
                "PHONE_NEW_NETWORK",
                account=sighting.account_id,
                user=item.phone.user,
                domain=item.phone.domain,
                network=item.network,
                others=sighting.others,
            )

    def _give_up(self, item: Seen | Attack) -> None:
        """An attack is said without its account; a phone is written when it registers next."""
        if isinstance(item, Attack):
            self._say(item, None)
        else:
            self._seen.pop(item, None)

    def _say(self, attack: Attack, account_id: int | None) -> None:
        phone = attack.phone
        self._log(
            "PHONE_ATTACKED",
            account=account_id,
            user=phone and phone.user,
            domain=phone and phone.domain,
            network=attack.network,
            failures=attack.failures,
        )

    def look(self) -> None:
        """Tell of accounts that spend far too much since a new network; raises one of OUTAGE."""
        if not self._may_act():
            return
        hours = self._config.new_network_hours
        try:
            with self._database.connection() as conn:
                for spending in networks.spendings(conn, hours, self._policy.amount_min):
                    if is_spike(self._policy, spending):
                        self._tell_spike(conn, spending)
        except OUTAGE:
            raise
        except psycopg.Error as error:
            self._refused(error)

    def _tell_spike(self, conn: Connection, spending: Spending) -> None:
        """Once, by whichever daemon comes first; the account is suspended in the same transaction."""
        with conn.transaction():
            if not networks.spike_is_told(conn, spending.account_id, self._config.new_network_hours):
                return
            is_suspended = self._config.on_spike == "suspend" and self._suspend(conn, spending.account_id)
        self._log(
            "PHONE_SPEND_SPIKE",
            account=spending.account_id,
            networks=",".join(spending.networks[:NETWORKS_SAID_MAX]),
            spent=spending.spent,
            usual=money.round_amount(spending.usual),
            currency=spending.currency,
            action="suspended" if is_suspended else "none",
        )

    def _suspend(self, conn: Connection, account_id: int) -> bool:
        """Whether it is done: a role that may not must not keep the alarm from being said."""
        try:
            with conn.transaction():
                accounts.suspend(conn, account_id, SPIKE_REASON, BY)
        except AccountError:
            return False  # it was closed meanwhile
        except psycopg.errors.InsufficientPrivilege as error:
            self._refused(error)
            return False
        return True

    def _refused(self, error: psycopg.Error) -> None:
        self._log("DB_REFUSED", statement="phones", error=" ".join(str(error).split()))


def _phone_of(attempt: RegisterAttempt) -> Phone:
    user = text_of(attempt.username)
    if user == NO_NAME:
        return phone_named(text_of(attempt.to_user), text_of(attempt.to_domain))
    return phone_named(user, text_of(attempt.realm))
