"""Calls from and to departments on a real FreeSWITCH: told, recorded, and billed as any call; no other is."""

from __future__ import annotations

import json
import math
import shutil
import wave
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from agent_process import AgentProcess
from books import Books, open_books
from click.testing import CliRunner
from conftest import Calls
from people import ALICE, ALWAYS, LONDON, OWNER, TO_DEVICE, TORONTO, VICTIM

from esl_agent.cli.main import cli
from esl_agent.core.rating import rate_leg
from esl_agent.lab.child import wait_until
from esl_agent.lab.console import Event
from esl_agent.lab.freeswitch import PrivateSwitch
from esl_agent.store.departments import Department, put_department
from esl_agent.store.pool import connected
from esl_agent.store.recordings import Recording, newest

pytestmark = pytest.mark.switch

#: The caller's voice, and that of who is called.
CALLER_HZ: Final = 400
CALLED_HZ: Final = 1_000
LOUD: Final = 5_000
RATE: Final = 8_000
#: A department behind a carrier, one whose phone calls out, and two with a number of ours.
DEPARTMENTS: Final = {
    TORONTO: "support",
    VICTIM.caller_id: "sales",
    TO_DEVICE.number: "desk",
    ALWAYS.number: "office",
}
WRITTEN_S: Final = 10.0
SETTINGS: Final = """
[cdr_files]
folder = "{cdrs}"
settle_after_s = 1
every_s = 1
[recording]
folder = "{folder}"
when_failed = "{when_failed}"
free_min_mb = 0
"""


def recordings_of(switch: PrivateSwitch) -> Path:
    return switch.folder / "recordings" / "esl_agent"


@pytest.fixture(scope="module")
def books_url(new_database: Callable[[], str]) -> str:
    url = new_database()
    open_books(url)
    with connected(url) as conn:
        for number, name in DEPARTMENTS.items():
            put_department(conn, Department(number, name), "test")
    return url


def an_agent(switch: PrivateSwitch, url: str, folder: Path, when_failed: str) -> AgentProcess:
    for path in switch.cdr_folder.glob("*.cdr.json"):
        path.unlink()  # of calls that other tests placed, which the books of these don't know
    more = SETTINGS.format(cdrs=switch.cdr_folder, folder=recordings_of(switch), when_failed=when_failed)
    return AgentProcess(switch, url, folder, more=more)


@pytest.fixture(scope="module")
def agent(
    switch: PrivateSwitch, books_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AgentProcess]:
    process = an_agent(switch, books_url, tmp_path_factory.mktemp("agent"), "alarm")
    process.start()
    yield process
    process.stop()


@pytest.fixture
def folder(switch: PrivateSwitch) -> Iterator[Path]:
    """The recordings of a test alone."""
    folder = recordings_of(switch)
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.unlink(missing_ok=True)


class Voices:
    """Files that the ends of a call speak."""

    def __init__(self, folder: Path) -> None:
        self.caller = _tone(folder / "caller.ulaw", CALLER_HZ)
        self.called = _tone(folder / "called.ulaw", CALLED_HZ)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Voices:
    return Voices(tmp_path_factory.mktemp("voices"))


def _tone(path: Path, hertz: int) -> Path:
    """A second of it, which may be repeated without a click."""
    samples = (round(8_000 * math.sin(2 * math.pi * hertz * place / RATE)) for place in range(RATE))
    path.write_bytes(bytes(_ulaw(sample) for sample in samples))
    return path


def _ulaw(sample: int) -> int:
    magnitude = abs(sample) + 132
    exponent = magnitude.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | (magnitude >> exponent + 3) & 15) & 255


class Sound:
    """A recording as it plays: the caller on its left, who was called on its right."""

    def __init__(self, path: Path) -> None:
        with wave.open(str(path), "rb") as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
            samples = array("h", file.readframes(file.getnframes()))
            self.seconds = file.getnframes() / RATE
        self.left, self.right = samples[0::2], samples[1::2]


def loudness(samples: array[int], hertz: int) -> float:
    """How strong a tone is in it."""
    turns = [2 * math.pi * hertz * place / RATE for place in range(len(samples))]
    cosine = sum(sample * math.cos(turn) for sample, turn in zip(samples, turns, strict=True))
    sine = sum(sample * math.sin(turn) for sample, turn in zip(samples, turns, strict=True))
    return 2 * math.hypot(cosine, sine) / len(samples)


def the_recording(folder: Path) -> Path:
    wait_until(lambda: folder.is_dir() and any(folder.iterdir()), "a recording", WRITTEN_S)
    [path] = folder.iterdir()
    return path


def row_of(url: str, path: Path) -> Recording:
    """What is known of a recording, when it has stopped."""

    def rows() -> list[Recording]:
        with connected(url) as conn:
            return [row for row in newest(conn, None, None, None, 10) if row.path == path.name]

    wait_until(lambda: any(row.stopped_at for row in rows()), "it is written that it stopped", WRITTEN_S)
    [row] = rows()
    return row


def both_voices_are_in(path: Path) -> Sound:
    sound = Sound(path)
    assert loudness(sound.left, CALLER_HZ) > LOUD > loudness(sound.left, CALLED_HZ) * 100
    assert loudness(sound.right, CALLED_HZ) > LOUD > loudness(sound.right, CALLER_HZ) * 100
    return sound


def at(event: Event) -> int:
    return int(event["Event-Date-Timestamp"])


def answered(calls: Calls, direction: str) -> Event:
    return calls.event("CHANNEL_ANSWER", direction)


def was_told(calls: Calls, direction: str) -> int:
    """When a leg of that direction had heard the notice."""
    return at(calls.event("PLAYBACK_STOP", direction))


def heard_nothing(calls: Calls) -> bool:
    names = {"PLAYBACK_START", "RECORD_START", "MEDIA_BUG_START"}
    return not [name for name in names if calls.all_of(name, lambda event: True)]


@pytest.mark.usefixtures("agent")
class TestRecorded:
    def test_a_customer_who_calls_support_is_told_and_then_recorded(
        self, calls: Calls, folder: Path, voices: Voices, books: Books, books_url: str
    ) -> None:
        calls.alpha("answer_and_speak", ring_ms=300, audio=voices.called)
        calls.dial(ALICE, TORONTO, "speak", talk_ms=2_000, audio=voices.caller).finish()

        [cdr] = books.cdrs(1)
        path = the_recording(folder)
        sound = both_voices_are_in(path)
        assert (cdr.recording, path.name) == (path.name, f"{cdr.leg_uuid}.wav")
        assert cdr.recorded_us is not None
        assert cdr.answered_us is not None
        assert abs(sound.seconds - cdr.duration_us / 1e6) < 0.2
        assert 0 <= cdr.recorded_us[0] - cdr.answered_us < 200_000
        assert cdr.recorded_us[1] == cdr.ended_us
        assert "to_record" in cdr.tags

        # He was told before anybody's phone rang, and was not answered for it.
        assert was_told(calls, "inbound") <= at(calls.event("CHANNEL_CREATE", "outbound"))
        assert at(answered(calls, "outbound")) <= at(answered(calls, "inbound"))
        # It costs what its talk costs.
        assert cdr.charge == rate_leg(cdr.price, cdr.duration_us)
        assert books.spent(ALICE) == str(cdr.charge.total)

        row = row_of(books_url, path)
        assert (row.account_id, row.leg_uuid, row.department) == (1001, cdr.leg_uuid, TORONTO)
        assert (row.told, row.caller_leg_uuid) == ("caller", cdr.other_leg_uuid)
        assert row.told_at is not None
        assert row.told_at < row.started_at
        assert (row.bytes, len(row.sha256 or "")) == (path.stat().st_size, 64)
        assert (row.delete_after - row.started_at).days == 180

    @pytest.mark.parametrize("scenario", ["answer_and_speak", "early_and_speak"])
    def test_a_customer_whom_a_department_calls_is_told_when_he_answers(
        self, scenario: str, calls: Calls, folder: Path, voices: Voices, books: Books, books_url: str
    ) -> None:
        calls.alpha(scenario, ring_ms=300, audio=voices.called)
        calls.dial(VICTIM, f"011{LONDON}", "speak", talk_ms=4_000, audio=voices.caller).finish()

        [cdr] = books.cdrs(1)
        path = the_recording(folder)
        sound = both_voices_are_in(path)
        assert (cdr.recording, cdr.charge) == (path.name, rate_leg(cdr.price, cdr.duration_us))
        assert 1.5 < sound.seconds < cdr.duration_us / 1e6 - 0.8  # the notice is not in it
        told_us = was_told(calls, "outbound")
        assert at(answered(calls, "outbound")) < told_us <= at(calls.event("RECORD_START", "outbound"))
        assert row_of(books_url, path).told == "called"

    def test_one_who_says_nothing_when_he_is_called_is_told_and_recorded_too(
        self, calls: Calls, folder: Path, books: Books
    ) -> None:
        """Not a packet comes from him: a phone that is muted sends none."""
        calls.alpha("answer", ring_ms=50)
        calls.dial(VICTIM, f"011{LONDON}", talk_ms=3_000).finish()

        [cdr] = books.cdrs(1)
        assert cdr.recording == the_recording(folder).name
        assert was_told(calls, "outbound") <= at(calls.event("RECORD_START", "outbound"))

    def test_a_stranger_who_calls_a_departments_number_is_told_and_then_recorded(
        self, calls: Calls, folder: Path, voices: Voices, books: Books, books_url: str
    ) -> None:
        calls.device(OWNER, "answer_and_speak", ring_ms=300, audio=voices.called)
        calls.bring(TO_DEVICE.number, "trunk_speak", talk_ms=2_000, audio=voices.caller).finish()

        [cdr] = books.cdrs(1)
        path = the_recording(folder)
        both_voices_are_in(path)
        assert (cdr.product, cdr.recording) == ("inbound", path.name)
        assert cdr.recorded_us is not None
        assert was_told(calls, "inbound") <= at(calls.event("CHANNEL_CREATE", "outbound"))
        assert at(answered(calls, "outbound")) <= at(answered(calls, "inbound"))
        row = row_of(books_url, path)
        assert (row.account_id, row.caller_leg_uuid) == (int(OWNER.account), cdr.leg_uuid)

    def test_a_departments_number_that_is_forwarded(
        self, calls: Calls, folder: Path, voices: Voices, books: Books
    ) -> None:
        calls.alpha("answer_and_speak", ring_ms=100, audio=voices.called)
        calls.bring(ALWAYS.number, "trunk_speak", talk_ms=1_500, audio=voices.caller).finish()

        came_in, went_out = books.cdrs(2)
        path = the_recording(folder)
        both_voices_are_in(path)
        assert (came_in.recording, went_out.recording) == (path.name, path.name)
        assert went_out.leg_uuid == path.stem
        assert len(calls.all_of("PLAYBACK_START", lambda event: True)) == 1  # told once

    def test_the_notice_is_in_the_operators_words_and_after_an_answer_where_his_carrier_needs_that(
        self, calls: Calls, folder: Path, voices: Voices, books: Books, tmp_path: Path
    ) -> None:
        words = tmp_path / "recording_notice.wav"
        with wave.open(str(words), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(bytes(2 * RATE))
        with calls.switch.changed(esl_announcements=str(tmp_path), esl_notice_answers="true"):
            calls.device(OWNER, "answer_and_speak", ring_ms=50, audio=voices.called)
            calls.bring(TO_DEVICE.number, "trunk_speak", talk_ms=2_500, audio=voices.caller).finish()

        [cdr] = books.cdrs(1)
        assert cdr.recording == the_recording(folder).name
        played = calls.all_of("PLAYBACK_START", lambda event: True)
        assert [event["Playback-File-Path"] for event in played] == [str(words)]
        assert at(answered(calls, "inbound")) < was_told(calls, "inbound")
        assert was_told(calls, "inbound") <= at(calls.event("CHANNEL_CREATE", "outbound"))

    def test_words_that_cant_be_played_are_a_tone(
        self, calls: Calls, folder: Path, books: Books, tmp_path: Path
    ) -> None:
        (tmp_path / "recording_notice.wav").write_text("no sound at all")
        with calls.switch.changed(esl_announcements=str(tmp_path)):
            calls.alpha("answer", ring_ms=50)
            calls.dial(ALICE, TORONTO, talk_ms=500).finish()
        [cdr] = books.cdrs(1)
        assert cdr.recording == the_recording(folder).name
        [played] = calls.all_of("PLAYBACK_START", lambda event: True)
        assert played["Playback-File-Path"].startswith("tone_stream://")

    def test_it_is_asked_by_the_module_in_the_switch_too(
        self, calls: Calls, folder: Path, books: Books
    ) -> None:
        with calls.switch.changed(esl_ask_by="python"):
            calls.alpha("answer", ring_ms=50)
            calls.dial(ALICE, TORONTO, talk_ms=500).finish()
        [cdr] = books.cdrs(1)
        assert cdr.recording == the_recording(folder).name

    def test_an_ordinary_call_is_neither_told_nor_recorded(
        self, calls: Calls, folder: Path, voices: Voices, books: Books
    ) -> None:
        calls.alpha("answer_and_speak", ring_ms=50, audio=voices.called)
        calls.dial(ALICE, f"011{LONDON}", "speak", talk_ms=500, audio=voices.caller).finish()

        [cdr] = books.cdrs(1)
        assert (cdr.recording, cdr.recorded_us, cdr.tags) == (None, None, ())
        assert heard_nothing(calls)
        assert not calls.all_of("CHANNEL_PROGRESS_MEDIA", lambda event: True)
        assert not folder.exists()

    def test_an_emergency_call_of_a_department_is_neither_told_nor_recorded(
        self, calls: Calls, folder: Path
    ) -> None:
        calls.alpha("answer", ring_ms=50)
        calls.dial(VICTIM, "911", talk_ms=300).finish()

        assert heard_nothing(calls)
        assert not folder.exists()

    def test_a_caller_from_outside_who_claims_to_be_support_is_not_recorded(
        self, calls: Calls, folder: Path
    ) -> None:
        calls.device(OWNER, "answer", ring_ms=50)
        calls.bring("18005550191", "trunk", talk_ms=300, from_user=TORONTO).finish()

        assert heard_nothing(calls)
        assert not folder.exists()

    def test_a_recording_ends_where_its_conversation_is_sent_elsewhere(
        self, calls: Calls, folder: Path, books: Books, books_url: str
    ) -> None:
        """A customer sends support on to London: that is a call of its own, without the department."""
        calls.alpha("answer", ring_ms=50)
        calls.dial(ALICE, TORONTO, "dial_on", talk_ms=1_000, digits=f"*1011{LONDON}#").finish()
        calls.bridged(2)
        calls.event("RECORD_STOP", "outbound")
        calls.hang_up_all()

        support, london = books.cdrs(2)
        path = the_recording(folder)
        assert (support.recording, london.recording) == (path.name, None)
        assert support.recorded_us is not None
        assert support.recorded_us[1] <= london.created_us
        assert Sound(path).seconds < (london.created_us - support.created_us) / 1e6
        assert len(calls.all_of("RECORD_START", lambda event: True)) == 1
        stopped = row_of(books_url, path).stopped_at
        assert stopped is not None

    def test_a_recorded_leg_that_is_sent_on_to_911_is_recorded_no_more(
        self, calls: Calls, folder: Path
    ) -> None:
        calls.alpha("answer", ring_ms=50)
        calls.dial(ALICE, TORONTO, "dial_on", talk_ms=500, digits="*1911#").finish()
        emergency = calls.bridged(2)
        calls.event("RECORD_STOP", "outbound")
        calls.hang_up_all()

        path = the_recording(folder)
        assert at(calls.event("RECORD_STOP", "outbound")) <= at(emergency) + 200_000
        assert path.stat().st_size > 0

    def test_what_was_said_while_the_daemon_was_away_is_on_the_cdr_and_can_be_entered(
        self, calls: Calls, agent: AgentProcess, folder: Path, voices: Voices, books: Books, books_url: str
    ) -> None:
        calls.alpha("answer_and_speak", ring_ms=1_500, audio=voices.called)
        call = calls.dial(ALICE, TORONTO, "speak", talk_ms=1_500, audio=voices.caller)
        calls.event("CHANNEL_CREATE", "outbound")
        agent.kill()
        call.finish()
        calls.event("CHANNEL_HANGUP_COMPLETE", "inbound")
        agent.start()

        [cdr] = books.cdrs(1)
        path = the_recording(folder)
        assert cdr.recording == path.name
        environment = {"ESL_AGENT_DATABASE_URL": books_url, "ESL_AGENT_RECORDING_FOLDER": str(folder)}
        checked = CliRunner().invoke(cli, ["recording", "check", "--mend", "--json"], env=environment)
        assert json.loads(checked.stdout)["mended"] == [path.name]
        row = row_of(books_url, path)
        assert (row.account_id, row.leg_uuid, row.department) == (1001, cdr.leg_uuid, TORONTO)
        assert row.duration_ms == round(Sound(path).seconds * 1_000)


class TestThatFails:
    """The folder is a file, so nothing can be written into it."""

    @pytest.fixture(autouse=True)
    def _no_folder(self, folder: Path) -> None:
        folder.write_text("in the way")

    def test_the_call_goes_on_and_there_is_an_alarm(
        self, calls: Calls, agent: AgentProcess, books: Books
    ) -> None:
        calls.alpha("answer", ring_ms=50)
        calls.dial(ALICE, TORONTO, talk_ms=500).finish()

        [cdr] = books.cdrs(1)
        assert (cdr.refused, cdr.recording) == (None, None)
        wait_until(lambda: agent.has_said("RECORDING_FAILED"), "the alarm", WRITTEN_S)
        [line] = agent.lines("RECORDING_FAILED")
        assert f"leg={cdr.leg_uuid}" in line
        wait_until(lambda: agent.has_said("RECORDING_FOLDER_FAILED"), "the alarm of the folder", WRITTEN_S)

    def test_or_it_is_refused_where_the_operator_wants_that(
        self, calls: Calls, agent: AgentProcess, books: Books, books_url: str, tmp_path: Path
    ) -> None:
        agent.stop()
        strict = an_agent(calls.switch, books_url, tmp_path, "refuse")
        strict.start()
        try:
            wait_until(lambda: strict.has_said("RECORDING_FOLDER_FAILED"), "the folder is seen", WRITTEN_S)
            calls.alpha("answer", ring_ms=50)
            calls.dial(ALICE, TORONTO, "refused", status=503).finish()
            [cdr] = books.cdrs(1)
            assert (cdr.refused, cdr.rule) == ("not_recordable", "recordable")
            calls.dial(ALICE, f"011{LONDON}", talk_ms=100).finish()
            calls.dial(VICTIM, "911", talk_ms=100).finish()
        finally:
            strict.stop()
            agent.start()
