"""The log: one line for each fact, whatever a phone put into a name; and its catalogue."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.noc.log import _pairs, open_log
from esl_agent.noc.words import WORDS
from esl_agent.noc.writer import LineWriter
from esl_agent.switch.trouble import TroubleKind

PATIENCE_S = 10.0
CATALOGUE = Path(__file__).parents[2] / "docs" / "log.md"


@pytest.fixture
def output(tmp_path: Path) -> Iterator[TextIO]:
    with (tmp_path / "log").open("w+", encoding="utf-8") as stream:
        yield stream


def lines_of(output: TextIO) -> list[str]:
    output.seek(0)
    return output.read().splitlines()


def test_a_line_has_time_level_word_and_fields(output: TextIO) -> None:
    log, close = open_log(style="plain", stream=output)
    log("CALL_RATED", leg="f7072568", account=1001, total="0.0130", carrier=None)
    close()
    (line,) = lines_of(output)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO    CALL_RATED leg=f7072568 account=1001 total=0\.0130",
        line,
    )


def test_json_lines_are_json(output: TextIO) -> None:
    log, close = open_log(style="json", stream=output)
    log("CALL_REFUSED", reason="no_funds", name='a"b\nc')
    close()
    (line,) = lines_of(output)
    fields = json.loads(line)
    assert (fields["level"], fields["event"], fields["name"]) == ("warning", "CALL_REFUSED", 'a"b\nc')


def test_quieter_words_than_the_level_are_left_out(output: TextIO) -> None:
    log, close = open_log(style="plain", level="warning", stream=output)
    log("CALL_RATED")
    log("SWITCH_LOST")
    close()
    assert [line.split()[2] for line in lines_of(output)] == ["SWITCH_LOST"]


def test_numbers_are_masked_on_request(output: TextIO) -> None:
    log, close = open_log(style="plain", mask_numbers=True, stream=output)
    log("CALL_RATED", to="15145551234", caller="911", total="0.0130")
    close()
    assert "to=xxxxxxx1234 caller=911 total=0.0130" in lines_of(output)[0]


@given(st.text())
def test_no_value_can_break_a_line_or_pass_for_another_field(value: str) -> None:
    text = _pairs({"name": value})
    assert len(text.splitlines()) == 1
    assert text.isprintable()
    shown = text.removeprefix(" name=")
    if shown.startswith('"'):
        decoded = json.loads(shown)
        assert decoded == value or decoded.endswith("…")
    else:
        assert shown == value
        assert not set(" ='\"") & set(shown)


def test_a_reader_that_stops_reading_does_not_stop_the_writer() -> None:
    read_end, write_end = os.pipe()
    writer = LineWriter(write_end, lines_max=100)
    for number in range(10_000):
        writer.write(f"{number:05d} {'x' * 90}\n")
    received = b""
    os.set_blocking(read_end, True)
    while not received.endswith(b"end\n"):
        received += os.read(read_end, 65_536)
        if not received.endswith(b"end\n"):
            writer.write("end\n")
    numbers = [int(line[:5]) for line in received.decode().splitlines() if line[0].isdigit()]
    assert numbers == sorted(numbers)
    assert len(numbers) < 10_000
    assert writer.take_dropped() >= 10_000 - len(numbers)
    writer.close()
    os.close(write_end)
    os.close(read_end)


def test_a_disk_that_was_full_gets_what_was_said_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, real_write = threading.Event(), os.write

    def write(descriptor: int, data: bytes) -> int:
        try:
            return real_write(descriptor, data)
        except OSError:
            refused.set()
            raise

    monkeypatch.setattr(os, "write", write)
    descriptor, file = os.open("/dev/full", os.O_WRONLY), tmp_path / "log"
    writer = LineWriter(descriptor)
    writer.write("first\n")
    assert refused.wait(PATIENCE_S)
    with file.open("wb") as with_room:
        os.dup2(with_room.fileno(), descriptor)
    writer.write("second\n")
    with gevent.Timeout(PATIENCE_S):
        while file.read_text() != "first\nsecond\n":
            gevent.sleep(0.01)
    writer.close()
    os.close(descriptor)


def test_the_catalogue_page_says_what_the_code_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \| (.*?) ?\|$", CATALOGUE.read_text(), re.MULTILINE)
    assert {word: (level, meaning, action) for word, level, meaning, action in rows} == {
        name: tuple(word) for name, word in WORDS.items()
    }


def test_the_page_explains_every_kind_of_trouble_at_a_door() -> None:
    section = CATALOGUE.read_text().partition("## What goes wrong at a door\n")[2]
    explained = re.findall(r"^\| `(\w+)` \| .+\. \| .+[.?] \|$", section, re.MULTILINE)
    assert explained == list(TroubleKind)


def test_every_word_said_in_the_code_is_in_the_catalogue_and_the_other_way_round() -> None:
    package = Path(__file__).parents[2] / "esl_agent"
    speakers = [
        *package.glob("agent/**/*.py"),
        *package.glob("core/call*.py"),
        *package.glob("office/*.py"),
        *package.glob("web/**/*.py"),
        package / "noc" / "log.py",
    ]
    code = "\n".join(path.read_text() for path in speakers)
    kinds = "AGENT|API|CALL|CDR|CLOCK|CONFIG|DB|DOOR|DUNNING|HOLD|JOURNAL|LIBRARY|LOG"
    kinds += "|NOTICES|PARTITION|PHONE|QUEUE|RECORDING|RECOVERY|SWITCH|TRAFFIC|TWIN|WEB"
    said = set(re.findall(rf"""["']((?:{kinds})_[A-Z_]+)["']""", code))
    assert said - set(WORDS) - {"CALL_REJECTED"} == set()  # a hangup cause of the switch's
    assert set(WORDS) - said == set()
