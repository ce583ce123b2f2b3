"""What the journal holds: an answer, a settlement or a release, each a line `crc32 json`.

The JSON has the fields of the row by their names in Python, amounts as text, so
that what is read back is what was written, to the last decimal.  A field that a
newer version adds, with a default, is read from older lines as that default;
a kind of record that an older version does not know is a broken line to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final
from zlib import crc32

import msgspec

from esl_agent.store.cdrs import CdrRow

#: Eight hexadecimal digits and a space.
CHECKSUM_BYTES: Final = 9


class BrokenRecord(Exception):
    """A line is not what was once written; the text says in which way."""


class Settlement(msgspec.Struct, frozen=True, tag="settlement", tag_field="record"):
    """A leg that is over, and the leg that gets its hold if it cost nothing."""

    row: CdrRow
    hand_to: str | None = None


class Release(msgspec.Struct, frozen=True, tag="release", tag_field="record"):
    """A leg that was planned and will not come."""

    account_id: int
    leg_uuid: str


class Answer(msgspec.Struct, frozen=True, tag="answer", tag_field="record"):
    """A leg that talks, or rang when its daemon stopped, and what settling it takes if no more is heard."""

    account_id: int
    leg_uuid: str
    switch: str
    known: str  # JSON (agent/calls/known.py)


Record = Settlement | Release | Answer

_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)


def without_answers_of_ended(records: Iterable[Record]) -> list[Record]:
    """The records that are needed where all of these are kept together: a leg that is over was answered."""
    ended = {(each.row.account_id, each.row.leg_uuid) for each in records if isinstance(each, Settlement)}
    return [
        each
        for each in records
        if not isinstance(each, Answer) or (each.account_id, each.leg_uuid) not in ended
    ]


def encode(record: Record) -> bytes:
    """The record's line, with the end of line."""
    return checked(to_json(record))


def decode(line: bytes) -> Record:
    """The record of a line with its end; raises BrokenRecord."""
    return from_json(checked_part(line))


def to_json(record: Record) -> bytes:
    """On one line, without its end."""
    try:
        return _encoder.encode(record)
    except UnicodeEncodeError:  # half of a surrogate pair, which is no UTF-8: escaped, it is ASCII
        return json.dumps(msgspec.to_builtins(record)).encode()


def from_json(body: bytes) -> Record:
    """Raises BrokenRecord where it is none of ours."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            record: Record = msgspec.convert(json.loads(body), Record)
        except (ValueError, RecursionError):
            raise BrokenRecord(f"it can't be read: {error}") from None
        return record


def checked(body: bytes) -> bytes:
    """A line that can be told to be whole."""
    return b"%08x %s\n" % (crc32(body), body)


def checked_part(line: bytes) -> bytes:
    """What stands behind the checksum; raises BrokenRecord where that differs, or the line has no end."""
    if not line.endswith(b"\n"):
        raise BrokenRecord("the line has no end")
    body = line[CHECKSUM_BYTES:-1]
    if line[:CHECKSUM_BYTES] != b"%08x " % crc32(body):
        raise BrokenRecord("the checksum differs")
    return body
