"""The switch is told of phones that were changed, now or when it is back."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from fixtures.scripted_switch import ScriptedSwitch, switch
from gevent.queue import Queue

from esl_agent.agent.daemon import Daemon
from esl_agent.agent.phones.phones import Phones
from esl_agent.store import sip_users
from esl_agent.store.pool import Connection
from esl_agent.store.sip_users import NewSipUser
from esl_agent.switch.commands import Api
from esl_agent.switch.errors import ConnectionLost

from .conftest import PATIENCE_S, Journal

__all__ = ["switch"]

GARAGE = ("garage", "sip.example.com")
FORGET_GARAGE = "xml_flush_cache id garage sip.example.com"


def test_a_new_password_counts_at_once(
    conn: Connection, start_daemon: Callable[..., Daemon], journal: Journal, switch: ScriptedSwitch
) -> None:
    start_daemon(switch.port)
    journal.wait_for("NOTICES_HEARD")
    new = NewSipUser(user=GARAGE[0], domain=GARAGE[1], account_id=1001, a1_hash="0" * 32, password_by="noc")
    sip_users.add_sip_user(conn, new)
    sip_users.replace_a1_hash(conn, *GARAGE, "1" * 32, "noc")
    (told,) = journal.wait_for("PHONE_CHANGED")
    assert told == {"user": GARAGE[0], "domain": GARAGE[1]}
    said: list[str] = []
    while not switch.peers.empty():
        said += switch.peers.get().received
    assert f"api {FORGET_GARAGE}" in said


def test_a_switch_that_is_away_is_told_when_it_is_back(journal: Journal) -> None:
    said: Queue[str] = Queue()
    away = [True]

    def command(api: Api) -> str:
        if away[0]:
            raise ConnectionLost("away")
        said.put(str(api))
        return "+OK cleared 1 entry"

    phones = Phones(command, journal)
    phones.changed([GARAGE])
    journal.wait_for("SWITCH_COMMAND_FAILED")
    away[0] = False
    phones.switch_is_back()
    assert said.get(timeout=PATIENCE_S) == FORGET_GARAGE
    journal.wait_for("PHONE_CHANGED")
    phones.switch_is_back()
    gevent.idle()
    assert said.empty()
