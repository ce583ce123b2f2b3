"""The journal gives back what was put in, to the last decimal, and nothing else, whatever its files hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fixtures.journals import a_journal
from fixtures.records import a_cdr, a_price
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core.leg import Quality
from esl_agent.core.price import Charge, ChargeLine, LineKind
from esl_agent.store.cdrs import CdrRow, Source
from esl_agent.store.journal import Journal
from esl_agent.store.journal_records import Answer, Record, Release, Settlement, decode, encode
from esl_agent.store.segments import segment_path
from esl_agent.store.unwritable import Refused, read_refused, rewrite

#: Halves of surrogate pairs too, which no UTF-8 has.
texts = st.text(st.characters(), max_size=40)
amounts = st.decimals(-10_000, 10_000, places=4)
times = st.integers(0, 4_102_444_800_000_000)
maybe_texts = st.none() | texts
lines = st.builds(ChargeLine, st.sampled_from(LineKind), st.decimals(0, 100, places=6), amounts)


@st.composite
def rows(draw: st.DrawFn) -> CdrRow:
    changes: dict[str, Any] = {
        name: draw(texts) for name in ("caller", "dialled", "number", "number_class", "country", "currency")
    }
    changes |= {name: draw(maybe_texts) for name in ("forwarded_from", "carrier", "recording", "refused")}
    changes["price"] = a_price(
        destination=draw(texts), rate_per_minute=draw(amounts), is_free=draw(st.booleans())
    )
    row = a_cdr(draw(st.integers(0, 2**62)), draw(texts), **changes)
    return replace(
        row,
        charge=Charge(draw(st.integers(0, 10**9)), tuple(draw(st.lists(lines, max_size=4)))),
        created_us=draw(times),
        answered_us=draw(st.none() | times),
        sip_code=draw(st.none() | st.integers(100, 699)),
        quality=Quality(draw(maybe_texts), draw(maybe_texts), draw(maybe_texts)),
        source=draw(st.sampled_from(Source)),
        tags=tuple(draw(st.lists(texts, max_size=3))),
        charged=draw(amounts),
    )


accounts = st.integers(0, 2**62)
records = (
    st.builds(Settlement, rows(), maybe_texts)
    | st.builds(Release, accounts, texts)
    | st.builds(Answer, accounts, texts, texts, texts)
)


def read_all(journal: Journal) -> list[Record]:
    return [record for record, _ in journal.read(journal.begins, journal.ends, 10_000).records]


@given(records)
def test_what_is_read_is_what_was_written(record: Record) -> None:
    line = encode(record)
    assert decode(line) == record
    assert line.index(b"\n") == len(line) - 1


@given(st.lists(records, max_size=3), texts)
def test_what_was_set_aside_can_be_read_again(some: list[Record], error: str) -> None:
    refused = [Refused(record, error) for record in some]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "unwritable-1.jsonl"
        rewrite(path, refused)
        assert [read_refused(line) for line in path.read_bytes().splitlines()] == refused if some else True
        assert path.exists() == bool(some)


@given(st.lists(records, min_size=1, max_size=4), st.data())
def test_whatever_became_of_a_segment_the_records_that_are_whole_are_read(
    some: list[Record], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        journal = a_journal(Path(folder))
        journal.open()
        journal.append([encode(record) for record in some])
        path = segment_path(journal.folder, journal.ends.segment)
        journal.close(journal.begins)
        good = path.read_bytes()
        at = data.draw(st.integers(0, len(good)))
        damaged = good[:at] + data.draw(st.binary(max_size=30)) + good[at + data.draw(st.integers(0, 30)) :]
        path.write_bytes(damaged)

        journal = a_journal(Path(folder))
        journal.open()
        found = read_all(journal)
        journal.close(journal.begins)
        untouched = [record for record in some if encode(record) in damaged]
        assert [record for record in found if record in some] == found
        assert len(found) >= len(untouched) - 1  # what was put in may have run into the line before it
        assert damaged == good or len(found) <= len(some)


@given(st.binary(max_size=200))
def test_a_note_that_says_nothing_good_means_that_all_is_read(note: bytes) -> None:
    with TemporaryDirectory() as folder:
        journal = a_journal(Path(folder))
        journal.open()
        journal.append([encode(Release(1001, "leg"))])
        journal.close(journal.begins)
        (journal.folder / "written").write_bytes(note)
        journal = a_journal(Path(folder))
        assert journal.open() == 1
        assert read_all(journal) == [Release(1001, "leg")]
        journal.close(journal.begins)
