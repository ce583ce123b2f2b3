"""Passwords of phones on a real FreeSWITCH that asks the daemon for them: tried, lost, and changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent_process import AgentProcess
from books import open_books
from people import ALICE, PEOPLE, TORONTO, VICTIM

from esl_agent.core.credential import a1_hash
from esl_agent.files import dialplan_dir
from esl_agent.lab.child import wait_until
from esl_agent.lab.freeswitch import NoFreeSwitch, PrivateSwitch, find_freeswitch
from esl_agent.lab.network import DOMAIN, Network, Phone
from esl_agent.lab.sipp import NoSipp, Sipp, find_sipp
from esl_agent.store.pool import connected
from esl_agent.store.sip_users import NewSipUser, add_sip_user, replace_a1_hash

pytestmark = pytest.mark.switch

PATIENCE_S = 20.0
OWNERS = {"desk": ALICE.account, "shop": VICTIM.account, "till": ALICE.account, "fax": VICTIM.account}
FAILURES_MAX = 3
WATCHED = f"[phones]\nfailures_max = {FAILURES_MAX}\n"
#: As an operator takes them out of their comment.
ASK_THE_DAEMON = """
  <settings>
    <param name="xml-handler-script" value="esl_agent.switch.embedded"/>
    <param name="xml-handler-bindings" value="directory"/>
  </settings>
"""


def password_of(user: str) -> str:
    return f"first password of {user}"


def phone(user: str, password: str | None = None) -> Phone:
    return Phone(user, password or password_of(user), "", "")


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSwitch]:
    """One of this module's own, which has no phones in its files."""
    try:
        binary = find_freeswitch(os.environ)
        find_sipp(os.environ)
    except (NoFreeSwitch, NoSipp) as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("switch of passwords")
    dialplan = folder / "as shipped"
    shutil.copytree(dialplan_dir(), dialplan)
    python = dialplan / "config" / "python.conf.xml"
    shipped = python.read_text(encoding="utf-8")
    python.write_text(shipped.replace("<settings/>", ASK_THE_DAEMON), encoding="utf-8")
    nobody = Network(phones=(), carriers=PEOPLE.carriers)
    with PrivateSwitch(binary, dialplan, folder, nobody, {}) as running:
        yield running


@pytest.fixture(scope="module")
def books_url(new_database: Callable[[], str]) -> str:
    url = new_database()
    open_books(url)
    with connected(url) as conn:
        for user, account in OWNERS.items():
            add_sip_user(
                conn,
                NewSipUser(
                    user=user,
                    domain=DOMAIN,
                    account_id=int(account),
                    a1_hash=a1_hash(user, DOMAIN, password_of(user)),
                    password_by="test",
                ),
            )
    return url


@pytest.fixture(scope="module")
def agent(
    switch: PrivateSwitch, books_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AgentProcess]:
    process = AgentProcess(switch, books_url, tmp_path_factory.mktemp("agent"), more=WATCHED)
    process.start()
    wait_until(lambda: bool(process.lines("NOTICES_HEARD")), "it hears of changes", PATIENCE_S)
    yield process
    process.stop()


class Phones:
    def __init__(self, sipp: Sipp, switch: PrivateSwitch) -> None:
        self._sipp = sipp
        self._switch = switch

    def register(self, phone: Phone, status: int, address: str = "127.0.0.1") -> None:
        self.register_as(phone, phone.user, status, address)

    def register_as(self, phone: Phone, user: str, status: int, address: str) -> None:
        """With the password of one phone, for another."""
        port = self._switch.customer_port
        self._sipp.call(phone, user, port, "register", status=status, address=address).finish()

    def call(self, phone: Phone, status: int, address: str) -> None:
        port = self._switch.customer_port
        self._sipp.call(phone, TORONTO, port, "refused", status=status, address=address).finish()


@pytest.fixture
def phones(switch: PrivateSwitch, agent: AgentProcess, tmp_path: Path) -> Iterator[Phones]:
    sipp = Sipp(find_sipp(os.environ), tmp_path)
    yield Phones(sipp, switch)
    sipp.stop_all()


def said(agent: AgentProcess, word: str, part: str) -> list[str]:
    """The lines with the word and the part, once there is one: without time and level."""

    def lines() -> list[str]:
        return [line[line.index(word) :] for line in agent.lines(f" {word} ") if part in line]

    wait_until(lambda: bool(lines()), f"{word} … {part}", PATIENCE_S)
    return lines()


def test_wrong_passwords_to_register_raise_an_alarm_with_phone_account_and_network(
    phones: Phones, agent: AgentProcess
) -> None:
    for _ in range(FAILURES_MAX):
        phones.register(phone("desk", "not this one"), 403, "127.0.1.9")
    assert said(agent, "PHONE_ATTACKED", "network=127.0.1.0/24") == [
        f"PHONE_ATTACKED account={ALICE.account} user=desk domain={DOMAIN} network=127.0.1.0/24 failures=3"
    ]


def test_wrong_passwords_to_call_count_as_well(phones: Phones, agent: AgentProcess) -> None:
    for _ in range(FAILURES_MAX):
        phones.call(phone("shop", "not this one"), 403, "127.0.2.9")
    assert said(agent, "PHONE_ATTACKED", "network=127.0.2.0/24") == [
        f"PHONE_ATTACKED account={VICTIM.account} user=shop domain={DOMAIN} network=127.0.2.0/24 failures=3"
    ]


def test_who_tries_one_name_after_another_is_told_of_by_network(phones: Phones, agent: AgentProcess) -> None:
    for number in range(FAILURES_MAX):
        phones.register(phone(f"{number}00"), 403, "127.0.3.9")
    assert said(agent, "PHONE_ATTACKED", "network=127.0.3.0/24") == [
        "PHONE_ATTACKED network=127.0.3.0/24 failures=3"
    ]


def test_who_names_another_user_than_it_registers_is_counted_as_that(
    phones: Phones, agent: AgentProcess
) -> None:
    """A password that is right for one phone must not try another's name unseen."""
    for _ in range(FAILURES_MAX):
        phones.register_as(phone("till"), "fax", 403, "127.0.4.9")
    [line] = said(agent, "PHONE_ATTACKED", "network=127.0.4.0/24")
    assert f"account={VICTIM.account} user=fax domain={DOMAIN}" in line


def test_right_passwords_raise_no_alarm_and_another_network_is_told_of_once(
    phones: Phones, agent: AgentProcess
) -> None:
    for _ in range(FAILURES_MAX + 1):
        phones.register(phone("till"), 200, "127.0.5.9")
    phones.register(phone("till"), 200, "127.0.6.9")
    phones.register(phone("till"), 200, "127.0.6.10")
    assert said(agent, "PHONE_NEW_NETWORK", "user=till") == [
        f"PHONE_NEW_NETWORK account={ALICE.account} user=till domain={DOMAIN} network=127.0.6.0/24 others=1"
    ]
    assert not [line for line in agent.lines(" PHONE_ATTACKED ") if "user=till" in line]


def test_a_password_that_was_replaced_stops_at_once(
    phones: Phones, agent: AgentProcess, books_url: str
) -> None:
    phones.register(phone("till"), 200)
    with connected(books_url) as conn:
        replace_a1_hash(conn, "till", DOMAIN, a1_hash("till", DOMAIN, "second password of till"), "test")
    said(agent, "PHONE_CHANGED", "user=till")
    phones.register(phone("till"), 403, "127.0.7.9")
    phones.register(phone("till", "second password of till"), 200)
