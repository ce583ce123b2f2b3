"""The files of mod_json_cdr: what they say is what the leg's last event said; anything else is told apart."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core.leg import LegEnd
from esl_agent.store.cdrs import to_time
from esl_agent.switch import cdr_file
from esl_agent.switch.cdr_file import CdrFileError, file_names, leg_uuid_of, parse_cdr_file, read_cdr_file
from esl_agent.switch.events import VariableNames, decode_event
from esl_agent.switch.frames import FrameReader
from esl_agent.switch.legs import leg_end_of

TRACES = Path(__file__).parents[1] / "traces"
RECORDED = VariableNames(
    account="billed_account", product="billed_product", carrier="carrier", number="destination_number"
)
FILES = sorted(TRACES.glob("*/json_cdr/*.cdr.json"))
ONE = TRACES / "outbound_us_caller_hangup/json_cdr/76a32f67-0256-4268-a1ba-e0317bb38fcb.cdr.json"


def ends_heard(scenario: Path) -> dict[str, LegEnd]:
    reader = FrameReader()
    reader.feed((scenario / "events.json.esl").read_bytes())
    events = (decode_event(frame.body, RECORDED) for frame in reader)
    ends = (leg_end_of(event) for event in events if event.name == "CHANNEL_HANGUP_COMPLETE")
    return {end.leg.leg_uuid: end for end in ends}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}-{path.name[:10]}")
def test_a_file_tells_what_the_legs_last_event_told(path: Path) -> None:
    end = read_cdr_file(path, RECORDED)
    assert end == ends_heard(path.parents[1])[end.leg.leg_uuid]


def test_the_recordings_have_answered_refused_transferred_and_cut_legs_of_both_directions() -> None:
    ends = [read_cdr_file(path, RECORDED) for path in FILES]
    assert len(ends) >= 35
    assert {end.leg.direction for end in ends} == {"inbound", "outbound"}
    assert any(not end.leg.answered_us for end in ends)
    assert {end.ended_by for end in ends} >= {"caller", "callee", "agent"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}-{path.name[:10]}")
def test_a_file_with_values_that_are_not_encoded_tells_the_same(path: Path) -> None:
    content = json.loads(path.read_bytes())
    content["variables"] = {name: unquote(value) for name, value in content["variables"].items()}
    assert parse_cdr_file(json.dumps(content).encode(), RECORDED) == read_cdr_file(path, RECORDED)


def test_a_callers_name_that_is_no_utf_8_takes_nothing_away() -> None:
    odd = ONE.read_bytes().replace(b'"caller_id_name":"', b'"caller_id_name":"Zo\xe9 ', 1)
    assert parse_cdr_file(odd, RECORDED) == read_cdr_file(ONE, RECORDED)


@pytest.mark.parametrize(
    ("name", "leg_uuid"),
    [
        ("76a32f67-0256-4268-a1ba-e0317bb38fcb.cdr.json", "76a32f67-0256-4268-a1ba-e0317bb38fcb"),
        ("a_76a32f67-0256-4268-a1ba-e0317bb38fcb.cdr.json", "76a32f67-0256-4268-a1ba-e0317bb38fcb"),
        ("1-5070@127.0.0.1.cdr.json", "1-5070@127.0.0.1"),  # a Call-ID in place of a UUID
        ("..cdr.json", None),
        ("a_...cdr.json", None),
        ("../x.cdr.json", None),
        ("x\n.cdr.json", None),
        ("x.cdr.json\n", None),
        ("x.cdr.json.gz", None),
        ("x.json", None),
        ("x" * 300 + ".cdr.json", None),
    ],
)
def test_a_name_says_of_which_leg_a_file_is(name: str, leg_uuid: str | None) -> None:
    assert leg_uuid_of(name) == leg_uuid


@pytest.mark.parametrize("leg_uuid", ["../../etc/passwd", "", ".", "..", "a/b", "x\0y", "x" * 300])
def test_no_leg_leads_out_of_the_folder(leg_uuid: str) -> None:
    assert list(file_names(leg_uuid)) == []


def changed(**parts: Any) -> bytes:
    return json.dumps(json.loads(ONE.read_bytes()) | parts).encode()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "can't be read"),
        (b"null", "can't be read"),
        (b"[]", "can't be read"),
        (b"{}", "can't be read"),
        (b"\x00" * 100, "can't be read"),
        (b"[" * 100_000, "can't be read"),
        (changed(callflow=[]), "no callflow"),
        (changed(channel_data={}), "tells of no leg"),
        (changed(variables={"uuid": "another"}), "two legs"),
        (changed(variables={"uuid": 5}), "can't be read"),
    ],
)
def test_what_tells_of_no_leg_is_said_to(data: bytes, problem: str) -> None:
    with pytest.raises(CdrFileError, match=problem):
        parse_cdr_file(data)


def test_a_leg_that_is_not_over_has_no_end() -> None:
    content = json.loads(ONE.read_bytes())
    content["callflow"][0]["times"]["hangup_time"] = "0"
    with pytest.raises(CdrFileError, match="no leg that is over"):
        parse_cdr_file(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("hangup_us", "problem"),
    [(10**18, "can't be read"), (-1, "can't be read"), (10**17, "lasted .* days"), ("x", "can't be read")],
)
def test_a_time_that_cannot_be_is_not_billed(hangup_us: object, problem: str) -> None:
    content = json.loads(ONE.read_bytes())
    content["callflow"][0]["times"]["hangup_time"] = str(hangup_us)
    with pytest.raises(CdrFileError, match=problem):
        parse_cdr_file(json.dumps(content).encode(), RECORDED)


@given(cut=st.integers(0, len(ONE.read_bytes().rstrip()) - 1))
def test_a_part_of_a_file_is_never_taken_for_the_whole(cut: int) -> None:
    with pytest.raises(CdrFileError):
        parse_cdr_file(ONE.read_bytes()[:cut], RECORDED)


@given(data=st.binary(max_size=200), at=st.integers(0, 9_000), length=st.integers(0, 50))
def test_any_bytes_are_read_or_refused(data: bytes, at: int, length: int) -> None:
    whole = ONE.read_bytes()
    for mangled in (data, whole[:at] + data + whole[at + length :]):
        try:
            end = parse_cdr_file(mangled, RECORDED)
        except CdrFileError:
            continue
        assert 0 <= end.duration_us <= cdr_file.LEG_MAX_US
        assert to_time(end.ended_us) >= to_time(0)


def test_a_file_whose_name_says_another_leg_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "00000000-0000-4000-8000-000000000000.cdr.json"
    path.write_bytes(ONE.read_bytes())
    with pytest.raises(CdrFileError, match="its name says another"):
        read_cdr_file(path, RECORDED)


def test_no_link_pipe_or_folder_is_read(tmp_path: Path) -> None:
    link, pipe, folder = (tmp_path / f"{name}.cdr.json" for name in ("link", "pipe", "folder"))
    link.symlink_to(ONE)
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (link, pipe, folder, tmp_path / "missing.cdr.json"):
        with pytest.raises(CdrFileError):
            read_cdr_file(path, RECORDED)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / ONE.name
    with path.open("wb") as file:
        file.truncate(cdr_file.FILE_BYTES_MAX + 1)
    with pytest.raises(CdrFileError, match="bytes"):
        read_cdr_file(path, RECORDED)
