"""The legs that are up, as `show channels as json` lists them.

The list comes from a table that the switch keeps beside its calls, in whole
seconds and without answer times: it says which legs there are.  What one is,
`uuid_dump` says.

The table is written by a thread that gathers work for some 200 ms, longer when
it is busy (switch_core_sqldb.c, `switch_user_sql_thread`): a leg may be missing
that was answered just now, and one may be listed that is over.  Only
`uuid_exists` and `uuid_dump` know.
"""

from __future__ import annotations

import msgspec

from esl_agent.core.leg import Direction
from esl_agent.switch.events import EventError


class Channel(msgspec.Struct, frozen=True, gc=False, rename={"leg_uuid": "uuid"}):
    """A row of the list; `state` is the channel's (CS_EXECUTE), `call_state` the call's (RINGING, ACTIVE)."""

    leg_uuid: str
    direction: Direction
    name: str = ""
    state: str = ""
    call_state: str = msgspec.field(default="", name="callstate")


class _Listing(msgspec.Struct):
    row_count: int
    rows: tuple[Channel, ...] = ()  # left out where there are none


_decoder = msgspec.json.Decoder(_Listing)


def decode_channels(answer: str) -> tuple[Channel, ...]:
    """Every leg in the answer; raises EventError where it is none, or isn't whole."""
    try:
        listing = _decoder.decode(answer)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise EventError(f"the list of channels can't be read: {error}") from None
    if listing.row_count != len(listing.rows):
        raise EventError(f"the list of channels says {listing.row_count} and holds {len(listing.rows)}")
    return listing.rows
