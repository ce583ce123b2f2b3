"""A switch that only asks: its outbound socket for each call, and the event socket that tells of the ends.

A process of its own.  It says on which port its event socket is; then each line
that it reads is an order, and it answers with what became of it.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import _socket  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
from collections import Counter  # noqa: E402
from contextlib import suppress  # noqa: E402
from pathlib import Path  # noqa: E402
from time import perf_counter, time_ns  # noqa: E402
from typing import Any, Final  # noqa: E402
from uuid import UUID  # noqa: E402

import gevent.socket  # noqa: E402
from gevent.pool import Group  # noqa: E402

TESTS: Final = Path(__file__).parents[1]
sys.path += [str(TESTS), str(TESTS / "link")]
from calling_switch import PHONE_CALLS, VARIABLES_SET  # noqa: E402
from fixtures.scripted_switch import Peer, ScriptedSwitch  # noqa: E402

#: A caller hears nothing for so long, and gives up: no leg is ever made for him.
GIVES_UP_AFTER_S: Final = 1.0
RECEIVE_BYTES: Final = 64 * 1024
CALLER_LEG: Final = b"20ce9487-d732-469d-9148-54a9764b3db2"
NUMBERS: Final = ("442079460000", "15145551234", "12125550147", "33142685300", "525555555555")


class AskingSwitch:
    def __init__(self) -> None:
        self.events = ScriptedSwitch()
        self.events.answers["bgapi show channels"] = _list_no_channels
        self.events.start()
        self._chance = random.Random(20)
        self._peer: Any = None

    def run(
        self, port: int, accounts: list[tuple[int, str]], calls_per_second: float, seconds: float
    ) -> dict[str, Any]:
        """Ask for calls that come by chance, so many a second; milliseconds from connecting to the answer."""
        if self._peer is None:
            self._peer = self.events.next_peer("HEARTBEAT")
        self._tell("HEARTBEAT", Core_UUID=self.events.core_uuid, Session_Count="0")
        took_ms: list[float] = []
        outcomes: Counter[str] = Counter()
        calls, begun = Group(), perf_counter()
        due = begun
        while due < begun + seconds:
            due += self._chance.expovariate(calls_per_second)
            gevent.sleep(max(0.0, due - perf_counter()))
            account_id, caller = self._chance.choice(accounts)
            calls.spawn(self._call, port, account_id, caller, took_ms, outcomes)
        took_s = perf_counter() - begun
        calls.join()
        return {"took_ms": took_ms, "outcomes": outcomes, "took_s": took_s}

    def put_up(self, accounts: list[tuple[int, str]], up: int) -> dict[str, Any]:
        """Tell of so many calls that are answered, and are never told of again."""
        if self._peer is None:
            self._peer = self.events.next_peer("HEARTBEAT")
        for number in range(up):
            account_id, caller = accounts[number % len(accounts)]
            now_us = str(time_ns() // 1_000)
            values = {
                "Event-Name": "CHANNEL_ANSWER",
                "Event-Date-Timestamp": now_us,
                "Unique-ID": str(UUID(int=self._chance.getrandbits(128), version=4)),
                "Call-Direction": "outbound",
                "Caller-Channel-Created-Time": now_us,
                "Caller-Channel-Answered-Time": now_us,
                "Caller-Caller-ID-Number": caller,
                "Caller-Destination-Number": NUMBERS[0],
                "variable_esl_account": str(account_id),
                "variable_esl_product": "termination",
            }
            body = json.dumps(values).encode()
            head = b"Content-Length: %d\nContent-Type: text/event-json\n\n" % len(body)
            self._peer.send(head + body)
        return {"up": up}

    def _call(
        self, port: int, account_id: int, caller: str, took_ms: list[float], outcomes: Counter[str]
    ) -> None:
        leg_uuid = str(UUID(int=self._chance.getrandbits(128), version=4))
        told = self._told(leg_uuid, account_id, caller)
        begun = perf_counter()
        answer = _ask(port, told)
        took_ms.append((perf_counter() - begun) * 1_000)
        outcomes[_outcome(answer)] += 1
        gevent.sleep(GIVES_UP_AFTER_S)
        now_us = str(time_ns() // 1_000)
        self._tell(
            "CHANNEL_HANGUP_COMPLETE",
            Unique_ID=leg_uuid,
            Call_Direction="inbound",
            Caller_Channel_Created_Time=now_us,
            Caller_Channel_Hangup_Time=now_us,
            Hangup_Cause="ORIGINATOR_CANCEL",
            Caller_Caller_ID_Number=caller,
            Caller_Destination_Number="ask",
            variable_sip_authorized="true",
        )

    def _tell(self, name: str, **headers: str) -> None:
        """Every event has the time on it, by which the agent sets its clock."""
        self._peer.event(name, Event_Date_Timestamp=str(time_ns() // 1_000), **headers)

    def _told(self, leg_uuid: str, account_id: int, caller: str) -> bytes:
        """What the switch tells of the channel: a real one's headers, with another who and where to."""
        return (
            PHONE_CALLS.replace(CALLER_LEG, leg_uuid.encode())
            .replace(b"15145550199", caller.encode())
            .replace(b"esl_ask_account: 1001", b"esl_ask_account: %d" % account_id)
            .replace(b"15145551234", self._chance.choice(NUMBERS).encode())
        )


def _list_no_channels(peer: Peer, lines: list[str]) -> None:
    job = lines[1].removeprefix("Job-UUID: ")
    peer.reply(f"+OK Job-UUID: {job}")
    peer.event("BACKGROUND_JOB", Job_UUID=job, _body='{"row_count": 0}')


def _ask(port: int, told: bytes) -> bytes:
    """What is said to set on the leg; nothing where the connection ends before.

    As little as can be is done here, for it is measured too.
    """
    with _connected(port) as sock, suppress(OSError):
        heard = b""
        while not heard.endswith(b"connect\n\n"):
            if not (data := sock.recv(RECEIVE_BYTES)):
                return b""
            heard += data
        sock.sendall(told)
        heard = b""
        while not heard.endswith(b"exit\n\n"):
            if not (data := sock.recv(RECEIVE_BYTES)):
                return b""
            heard += data
        sock.sendall(VARIABLES_SET)
        return heard
    return b""


def _connected(port: int) -> gevent.socket.socket:
    """Connected by the system at once, without the turns that greenlets take to look up a name."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.connect(("127.0.0.1", port))
    return gevent.socket.socket(fileno=sock.detach())


def _outcome(answer: bytes) -> str:
    if b"esl_admitted=true" in answer:
        return "admitted"
    refused = re.search(rb"esl_reason=(\w+)", answer)
    return refused[1].decode() if refused else "no answer"


def main() -> None:
    switch = AskingSwitch()
    print(switch.events.port, flush=True)
    while line := gevent.get_hub().threadpool.apply(sys.stdin.readline):
        order = json.loads(line)
        print(json.dumps(switch.put_up(**order) if "up" in order else switch.run(**order)), flush=True)


if __name__ == "__main__":
    main()
