"""The journal on a real disk: what was kept is there again, and nothing else is taken for it."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures.journals import a_journal
from fixtures.records import a_cdr

from esl_agent.agent.money.journal_place import journal_folder
from esl_agent.config import JournalConfig
from esl_agent.store.journal import Journal, JournalError, probe
from esl_agent.store.journal_records import Record, Release, Settlement, checked, decode, encode
from esl_agent.store.segments import Position

NOBODY = 65534
LINE = encode(Release(1001, "leg 000"))


def releases(*numbers: int) -> list[Record]:
    return [Release(1001, f"leg {number:03}") for number in numbers]


def keep(journal: Journal, *numbers: int) -> list[Position]:
    return journal.append([encode(record) for record in releases(*numbers)])


def waiting(journal: Journal) -> list[Record]:
    return [record for record, _ in journal.read(journal.begins, journal.ends, 1_000).records]


def files(journal: Journal, pattern: str = "segment-*") -> list[str]:
    return sorted(path.name for path in journal.folder.glob(pattern))


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[Callable[..., Journal]]:
    """A journal in always the same folder, opened; the one before it is left as a crash would."""
    opened: list[Journal] = []

    def open_again(**limits: int) -> Journal:
        if opened:
            crash(opened[-1])
        opened.append(a_journal(tmp_path, **limits))
        opened[-1].open()
        return opened[-1]

    yield open_again
    crash(opened[-1])


def crash(journal: Journal) -> None:
    """What the system does for a process that is killed."""
    for descriptor in (journal._lock, journal._note):
        if descriptor >= 0:
            os.close(descriptor)
    if journal._writer is not None:
        journal._writer.close()
    journal._lock = journal._note = -1
    journal._writer = None


# What was kept is there again.


def test_after_a_crash_everything_waits_in_its_order(reopened: Callable[..., Journal]) -> None:
    journal = reopened()
    keep(journal, 1, 2)
    keep(journal, 3)
    again = reopened()
    keep(again, 4)
    assert waiting(again) == releases(1, 2, 3, 4)
    assert waiting(reopened()) == releases(1, 2, 3, 4)


def test_what_is_written_waits_no_more(reopened: Callable[..., Journal]) -> None:
    journal = reopened()
    ends = keep(journal, 1, 2, 3)
    journal.upkeep(ends[1])
    assert waiting(reopened()) == releases(3)


def test_segments_are_deleted_when_all_of_them_is_written(reopened: Callable[..., Journal]) -> None:
    journal = reopened(segment=2 * len(LINE))
    ends = keep(journal, 1, 2) + keep(journal, 3, 4) + keep(journal, 5)
    assert len(files(journal)) == 3
    journal.upkeep(ends[2])
    assert len(files(journal)) == 2
    assert waiting(reopened()) == releases(4, 5)


def test_where_nothing_waits_nothing_is_left(reopened: Callable[..., Journal]) -> None:
    journal = reopened()
    journal.close(keep(journal, 1, 2)[-1])
    assert files(journal) == []
    journal = reopened()
    assert waiting(journal) == []
    keep(journal, 3)
    assert waiting(reopened()) == releases(3)


def test_what_is_not_written_at_the_end_waits_for_the_next_start(reopened: Callable[..., Journal]) -> None:
    journal = reopened()
    journal.close(keep(journal, 1, 2)[0])
    assert waiting(reopened()) == releases(2)


def test_it_is_read_in_portions(reopened: Callable[..., Journal]) -> None:
    journal = reopened(segment=2 * len(LINE))
    ends = [keep(journal, number)[0] for number in range(5)]
    first = journal.read(journal.begins, ends[3], 3)
    assert ([record for record, _ in first.records], first.reached) == (releases(0, 1, 2), ends[2])
    rest = journal.read(first.reached, ends[3], 3)
    assert ([record for record, _ in rest.records], rest.reached) == (releases(3), ends[3])


def test_segments_of_another_journal_with_lower_numbers_are_read(reopened: Callable[..., Journal]) -> None:
    journal = reopened()
    keep(journal, 1)
    moved = journal.folder / files(journal)[0]
    text = moved.read_bytes()
    journal.upkeep(Position(7, 0))
    moved.write_bytes(text)
    assert waiting(reopened()) == releases(1)


# Nothing else is taken for it.


def test_a_line_that_was_half_written_is_passed_over_and_its_segment_kept(
    reopened: Callable[..., Journal],
) -> None:
    journal = reopened()
    keep(journal, 1)
    (name,) = files(journal)
    with (journal.folder / name).open("ab") as file:
        file.write(LINE[:20])
    journal = reopened()
    read = journal.read(journal.begins, journal.ends, 10)
    assert [record for record, _ in read.records] == releases(1)
    assert read.broken == [(name.replace("segment", "broken"), "the line has no end")]
    journal.close(read.reached)
    assert (files(journal), files(journal, "broken-*")) == ([], [read.broken[0][0]])
    assert (journal.folder / read.broken[0][0]).read_bytes().endswith(LINE[:20])


def test_a_broken_line_does_not_hide_those_behind_it(reopened: Callable[..., Journal]) -> None:
    journal = reopened()
    keep(journal, 1, 2, 3)
    (name,) = files(journal)
    path = journal.folder / name
    path.write_bytes(path.read_bytes().replace(b"leg 002", b"leg 666"))
    journal = reopened()
    read = journal.read(journal.begins, journal.ends, 10)
    assert [record for record, _ in read.records] == releases(1, 3)
    assert [problem for _, problem in read.broken] == ["the checksum differs"]


def test_a_segment_that_somebody_deleted_is_told(reopened: Callable[..., Journal]) -> None:
    journal = reopened(segment=1)
    ends = [keep(journal, number)[0] for number in range(3)]
    (journal.folder / files(journal)[1]).unlink()
    read = journal.read(journal.begins, ends[-1], 10)
    assert [record for record, _ in read.records] == releases(0, 2)
    assert read.broken == [("", "the segment 2 has gone")]
    journal.upkeep(ends[-1])


def test_two_daemons_do_not_share_it(reopened: Callable[..., Journal], tmp_path: Path) -> None:
    reopened()
    with pytest.raises(JournalError, match=f"in use by process {os.getpid()}: each daemon needs"):
        a_journal(tmp_path).open()


def test_a_folder_that_cannot_be_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=r"Not a directory.*see .journal. folder"):
        a_journal(tmp_path / "file").open()


def test_nobody_else_may_read_it(reopened: Callable[..., Journal]) -> None:
    journal = reopened()
    keep(journal, 1)
    modes = {path.stat().st_mode & 0o777 for path in journal.folder.iterdir()}
    assert (modes, journal.folder.stat().st_mode & 0o777) == ({0o600}, 0o700)


# There is no room.


def test_it_says_that_it_is_nearly_full_and_still_takes_what_it_has_room_for(
    reopened: Callable[..., Journal],
) -> None:
    journal = reopened(size_max=2_000, segment=100)
    ends = journal.begins
    while not journal.upkeep(journal.begins).lacking:
        ends = keep(journal, 1)[0]
    assert journal.upkeep(journal.begins).lacking == "size"
    keep(journal, 2)
    with pytest.raises(JournalError, match=r"as much as .journal. lets it"):
        keep(journal, *range(100))
    assert journal.upkeep(ends).lacking == ""


def test_a_disk_with_less_free_than_it_is_to_have_is_told(reopened: Callable[..., Journal]) -> None:
    assert reopened(free_min=1 << 60).upkeep(Position(0, 0)).lacking == "free"


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to write more, as a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_the_disk_did_not_take_is_not_there_and_it_goes_on_when_the_disk_does(
    reopened: Callable[..., Journal],
) -> None:
    journal = reopened()
    keep(journal, 1)
    with files_no_larger_than(2 * len(LINE)), pytest.raises(OSError, match="File too large"):
        keep(journal, 2, 3)
    with files_no_larger_than(0), pytest.raises(OSError, match="File too large"):
        keep(journal, 2, 3)
    with files_no_larger_than(0), pytest.raises(OSError, match=r"No space left|File too large"):
        probe(journal.folder)
    probe(journal.folder)
    assert len(files(journal)) == 1
    keep(journal, 4, 5)
    assert waiting(reopened()) == releases(1, 4, 5)


def test_what_waits_can_be_read_at_a_start_on_a_full_disk(reopened: Callable[..., Journal]) -> None:
    keep(reopened(), 1, 2)
    with files_no_larger_than(0):
        journal = reopened()
        assert waiting(journal) == releases(1, 2)
        journal.close(journal.ends)
        assert files(journal) == []


# Where it is.


def test_where_it_is_unless_the_configuration_says() -> None:
    def folder(**environment: str) -> str:
        return str(journal_folder(JournalConfig(), environment, Path("/nowhere")))

    assert folder(HOME="/home/a") == "/home/a/.local/state/esl-agent/journal"
    assert folder(HOME="/home/a", XDG_STATE_HOME="relative") == "/home/a/.local/state/esl-agent/journal"
    assert folder(HOME="/home/a", XDG_STATE_HOME="/state") == "/state/esl-agent/journal"
    assert folder(HOME="/home/a", STATE_DIRECTORY="/var/lib/esl-agent:/x") == "/var/lib/esl-agent/journal"
    with pytest.raises(JournalError, match=r"set .journal. folder"):
        folder()
    assert journal_folder(JournalConfig(folder="/srv/journal"), {}) == Path("/srv/journal")


def test_a_command_from_a_shell_is_about_the_services_journal_where_there_is_one(tmp_path: Path) -> None:
    shipped = tmp_path / "esl-agent" / "journal"

    def folder(**environment: str) -> Path:
        return journal_folder(JournalConfig(), {"HOME": "/home/a", **environment}, shipped)

    assert folder() == Path("/home/a/.local/state/esl-agent/journal")
    shipped.mkdir(parents=True)
    assert folder() == folder(XDG_STATE_HOME="/state") == shipped
    assert folder(STATE_DIRECTORY="/var/lib/esl-agent/one") == Path("/var/lib/esl-agent/one/journal")


def test_whoever_may_not_look_at_the_services_journal_is_told_so(tmp_path: Path) -> None:
    shipped = tmp_path / "esl-agent" / "journal"
    shipped.mkdir(parents=True)
    shipped.parent.chmod(0)
    with anybody(), pytest.raises(JournalError, match=r"Permission denied.*\[journal\] folder"):
        journal_folder(JournalConfig(), {"HOME": "/home/a"}, shipped)
    shipped.parent.chmod(0o700)


@contextmanager
def anybody() -> Iterator[None]:
    """Not as root, who may look everywhere."""
    was = os.geteuid()
    os.seteuid(was or NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


def test_a_record_says_in_plain_json_what_it_is() -> None:
    assert json.loads(LINE.split(b" ", 1)[1]) == {
        "record": "release", "account_id": 1001, "leg_uuid": "leg 000",
    }  # fmt: skip


#: As the first version that had a journal wrote it.
FIRST_LINE = """\
{"record":"settlement","row":{"account_id":1001,"leg_uuid":"f7072568","other_leg_uuid":"a-f7072568",
"product":"termination","caller":"15145550123","dialled":"011442079460000","number":"442079460000",
"number_class":"world","country":"GB","price":{"deck":"standard","deck_version":1,"prefix":"44",
"destination":"United Kingdom","rate_per_minute":"0.012500","minimum_s":6,"step_s":6,
"connection_fee":"0.0000","forwarding_rate_per_minute":"0.000000","grace_ms":0,"is_free":false},
"charge":[60,[["usage","0.012500","0.0125"]]],"created_us":1772366400000000,"answered_us":1772366404000000,
"ended_us":1772366463020003,"duration_us":59020003,"currency":"CAD","hangup_cause":"NORMAL_CLEARING",
"sip_code":200,"ended_by":"caller","forwarded_from":null,"carrier":"carrier_a",
"quality":{"mos":"4.50","packet_loss":"0.00","jitter_ms":"3.125"},"recording":null,"source":"live",
"refused":null,"rule":null,"tags":[],"charged":"0.0000","uncollected":"0.0000"},"hand_to":"8a1c"}"""


def test_what_an_older_version_kept_is_read_by_this_one() -> None:
    """An upgrade finds calls in the journal: whatever is added to a CDR since needs a default."""
    line = checked(FIRST_LINE.replace("\n", "").encode())
    assert decode(line) == Settlement(a_cdr(1001, "f7072568"), "8a1c")
