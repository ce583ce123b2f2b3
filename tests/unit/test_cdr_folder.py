"""A leg's file is found by the leg, wherever it stands."""

from __future__ import annotations

from pathlib import Path
from shutil import copy

import pytest

from esl_agent.agent.files.cdr_folder import DONE, CdrFolder
from esl_agent.switch.cdr_file import read_cdr_file

RECORDED = Path(__file__).parents[1] / "traces/outbound_us_caller_hangup/json_cdr"
CALLER = "90b2314c-b048-4e6f-9462-29ff46f7b65c"
CARRIERS = "76a32f67-0256-4268-a1ba-e0317bb38fcb"


@pytest.mark.parametrize("place", [".", DONE])
def test_a_leg_is_found_by_its_uuid_with_or_without_the_prefix(tmp_path: Path, place: str) -> None:
    (tmp_path / DONE).mkdir()
    for name in (f"a_{CALLER}", CARRIERS):
        copy(RECORDED / f"{name}.cdr.json", tmp_path / place)
    folder = CdrFolder(tmp_path)
    assert folder.find(CALLER) == read_cdr_file(RECORDED / f"a_{CALLER}.cdr.json")
    assert folder.find(CARRIERS) == read_cdr_file(RECORDED / f"{CARRIERS}.cdr.json")


def test_a_leg_without_a_whole_file_is_not_found(tmp_path: Path) -> None:
    half = (RECORDED / f"{CARRIERS}.cdr.json").read_bytes()[:4_000]
    (tmp_path / f"{CARRIERS}.cdr.json").write_bytes(half)
    folder = CdrFolder(tmp_path)
    assert folder.find(CARRIERS) is None
    assert folder.find(CALLER) is None
    assert folder.find("../" + CARRIERS) is None


def test_where_no_folder_is_set_nothing_is_found() -> None:
    assert CdrFolder(None).find(CALLER) is None
