"""Calls from and to departments on a real FreeSWITCH: told, recorded, and billed as any other; and no other call is."""

from __future__ import annotations

import math
import wave
from array import array
from pathlib import Path
from collections.abc import Callable, Iterator

import pytest
from conftest import Calls
from people import ALICE, CALLER, LONDON, OWNER, TO_DEVICE, TORONTO

pytestmark = [pytest.mark.switch, pytest.mark.usefixtures("agent")]

CALLER_HZ, CALLED_HZ = 400, 1000


def ulaw(sample: int) -> int:
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | (magnitude >> exponent + 3) & 15) & 255


def a_voice(path: Path, hertz: int) -> Path:
    path.write_bytes(bytes(ulaw(round(8000 * math.sin(2 * math.pi * hertz * n / 8000))) for n in range(8000)))
    return path


@pytest.mark.parametrize("how", ["answer_and_speak", "early_and_speak"])
def test_support(calls: Calls, books_url, tmp_path, how):
    from esl_agent.store.pool import connected
    from esl_agent.store.departments import Department, put_department

    with connected(books_url) as conn:
        put_department(conn, Department(TORONTO, "support"), "test")
        put_department(conn, Department(ALICE.caller_id, "admin"), "test")
    import time

    time.sleep(1.5)
    calls.alpha(how, ring_ms=600, audio=a_voice(tmp_path / "called", CALLED_HZ))
    calls.dial(ALICE, LONDON, "speak", talk_ms=4000, audio=a_voice(tmp_path / "caller", CALLER_HZ)).finish()
    calls.legs("inbound")
    folder = calls.switch.folder / "recordings" / "esl_agent"
    for p in folder.iterdir():
        w = wave.open(str(p))
        print(p, w.getparams(), w.getnframes() / w.getframerate())
        data = array("h", w.readframes(w.getnframes()))
        for ch in (0, 1):
            s = data[ch::2]
            for hz in (CALLER_HZ, CALLED_HZ):
                c = sum(x * math.cos(2 * math.pi * hz * i / 8000) for i, x in enumerate(s))
                q = sum(x * math.sin(2 * math.pi * hz * i / 8000) for i, x in enumerate(s))
                print(ch, hz, 2 * math.hypot(c, q) / max(1, len(s)))
    e = calls.event("CHANNEL_HANGUP_COMPLETE", "outbound")
    print({k: v for k, v in e.items() if "record" in k.lower()})
    print(
        [
            (x["Event-Name"], x["Event-Date-Timestamp"], x.get("Call-Direction"))
            for x in calls._tap.events
            if x["Event-Name"]
            in (
                "CHANNEL_ANSWER",
                "RECORD_START",
                "RECORD_STOP",
                "CHANNEL_CREATE",
                "CHANNEL_HANGUP_COMPLETE",
                "CHANNEL_BRIDGE",
                "PLAYBACK_START",
                "PLAYBACK_STOP",
                "CHANNEL_PROGRESS_MEDIA",
            )
        ]
    )
    assert 0
