"""Whatever happens to a journal, and in whatever order, what was kept and not written is there, in order."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from fixtures.journals import a_journal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from esl_agent.store.journal import Journal
from esl_agent.store.journal_records import Answer, Record, Release, encode
from esl_agent.store.segments import Position, segment_path

LINE_BYTES = len(encode(Release(1001, "leg 000000")))
SEGMENT = 4 * LINE_BYTES


class JournalMachine(RuleBasedStateMachine):
    """`kept` are all records that were ever kept, `noted` how many of them are in Postgres by the note."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.kept: list[Record] = []
        self.ends: list[Position] = []
        self.noted = 0
        self.journal = self._opened()

    def _opened(self) -> Journal:
        journal = a_journal(Path(self._folder.name), segment=SEGMENT)
        journal.open()
        return journal

    def _crash(self) -> None:
        os.close(self.journal._lock)
        os.close(self.journal._note)
        if self.journal._writer is not None:
            self.journal._writer.close()

    @rule(are_answers=st.lists(st.booleans(), min_size=1, max_size=9))
    def keep(self, are_answers: list[bool]) -> None:
        legs = [f"leg {len(self.kept) + each:06}" for each in range(len(are_answers))]
        new: list[Record] = [
            Answer(1001, leg, "montreal", "{}") if is_answer else Release(1001, leg)
            for leg, is_answer in zip(legs, are_answers, strict=True)
        ]
        self.ends += self.journal.append([encode(record) for record in new])
        self.kept += new

    @precondition(lambda self: self.noted < len(self.kept))
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        self.noted = data.draw(st.integers(self.noted + 1, len(self.kept)))
        self.journal.upkeep(self.ends[self.noted - 1])

    @rule()
    def crash(self) -> None:
        self._crash()
        self.journal = self._opened()

    @rule(bytes_written=st.integers(1, LINE_BYTES - 1))
    def lose_power(self, bytes_written: int) -> None:
        """In the middle of a line that was never said to be kept."""
        self._crash()
        writer = self.journal._writer
        if writer is not None and segment_path(self.journal.folder, writer.number).exists():
            with segment_path(self.journal.folder, writer.number).open("ab") as file:
                file.write(encode(Release(1001, "leg 999999"))[:bytes_written])
        self.journal = self._opened()

    @rule()
    def stop_and_start(self) -> None:
        self.journal.close(self.ends[self.noted - 1] if self.noted else Position(0, 0))
        self.journal = self._opened()

    @invariant()
    def what_is_not_written_waits(self) -> None:
        begins = max(self.journal.begins, self.ends[self.noted - 1] if self.noted else Position(0, 0))
        read = self.journal.read(begins, self.journal.ends, 10_000)
        assert [record for record, _ in read.records] == self.kept[self.noted :]

    @invariant()
    def no_more_is_left_than_needed(self) -> None:
        segments = sorted(self.journal.folder.glob("segment-*"))
        waiting = len(self.kept) - self.noted
        assert len(segments) <= waiting + 2

    def teardown(self) -> None:
        self._crash()
        self._folder.cleanup()


TestJournalModel = JournalMachine.TestCase
TestJournalModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
