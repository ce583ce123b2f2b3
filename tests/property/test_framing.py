"""However the network cuts a stream, and whatever is in it, framing has one outcome."""

import random
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from esl_agent.switch.frames import EVENT_JSON, Frame, FrameError, FrameLimits, FrameReader

TRACES = Path(__file__).parents[1] / "traces"
LIMITS = FrameLimits(header_bytes_max=200, body_bytes_max=100)
FUZZ_ROUNDS = 400

#: Frames read, then whether an error ended them.
Outcome = tuple[list[Frame], bool]

names = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,12}\Z")
values = st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=20)
bodies = st.binary(max_size=60)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A message that a switch could send."""
    extra = draw(st.dictionaries(names, values, max_size=3))
    headers = {name: value for name, value in extra.items() if not name.startswith("Content-")}
    headers["Content-Type"] = draw(st.sampled_from(["command/reply", "api/response", "text/event-json"]))
    body = draw(bodies)
    if body or draw(st.booleans()):
        headers["Content-Length"] = str(len(body))
    order = draw(st.permutations(sorted(headers)))
    lines = "\n".join(f"{name}: {headers[name]}" for name in order)
    return lines.encode() + b"\n\n" + body


#: Anything: good messages, pieces of them, and noise that looks like them.
noise = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\n", b"\n\n", b": ", b"Content-Length: ", b"Content-Type: x", b"7", b"-1", b"\xff"]),
)
streams = st.lists(st.one_of(messages(), noise), max_size=8).map(b"".join)


def outcome(pieces: list[bytes], limits: FrameLimits = LIMITS) -> Outcome:
    reader = FrameReader(limits)
    frames: list[Frame] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            for frame in reader:
                frames.append(frame)
    except FrameError:
        return frames, True
    return frames, False


def singly(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


@given(messages())
def test_a_message_of_a_switch_is_one_frame_with_its_headers_and_body(message: bytes) -> None:
    frames, is_error = outcome([message])
    assert not is_error
    assert len(frames) == 1
    head, _, body = message.partition(b"\n\n")
    assert frames[0].body == body
    told = {**frames[0].headers, "Content-Type": frames[0].content_type}
    if b"Content-Length: " in head:
        told["Content-Length"] = str(len(body))
    assert sorted(f"{name}: {value}".encode() for name, value in told.items()) == sorted(head.split(b"\n"))


@given(streams, st.lists(st.integers(min_value=0), max_size=8))
def test_how_a_stream_is_cut_changes_nothing(stream: bytes, places: list[int]) -> None:
    whole = outcome([stream])
    assert outcome(singly(stream)) == whole
    assert outcome(cut(stream, places)) == whole


@given(streams, st.integers(min_value=4, max_value=300))
def test_how_large_the_buffer_is_changes_nothing(stream: bytes, buffer_bytes: int) -> None:
    """Written in place, as from a socket, into a buffer that has to move and to grow."""
    reader = FrameReader(LIMITS, buffer_bytes)
    frames: list[Frame] = []
    is_error = False
    rest = stream
    try:
        while rest:
            space = reader.space()
            count = min(len(space), len(rest))
            space[:count] = rest[:count]
            reader.wrote(count)
            rest = rest[count:]
            for frame in reader:
                frames.append(frame)
    except FrameError:
        is_error = True
    assert (frames, is_error) == outcome([stream])


@given(streams)
def test_events_that_are_taken_in_place_are_those_that_would_be_yielded(stream: bytes) -> None:
    yielded, _ = outcome([stream])
    taken: list[bytes] = []
    reader = FrameReader(LIMITS, take_event=lambda body: taken.append(bytes(body)))
    others: list[Frame] = []
    try:
        for piece in cut(stream, [7, 77]):
            reader.feed(piece)
            for frame in reader:
                others.append(frame)
    except FrameError:
        pass
    assert taken == [frame.body for frame in yielded if frame.content_type == EVENT_JSON]
    assert others == [frame for frame in yielded if frame.content_type != EVENT_JSON]


@given(st.binary(max_size=400))
def test_garbage_is_refused_or_awaited_and_nothing_else(garbage: bytes) -> None:
    assert outcome(singly(garbage)) == outcome([garbage])


@given(streams)
def test_no_frame_is_larger_than_the_limits(stream: bytes) -> None:
    frames, _ = outcome(singly(stream))
    for frame in frames:
        assert sum(len(name) + len(value) for name, value in frame.headers.items()) <= LIMITS.header_bytes_max
        assert len(frame.body) <= LIMITS.body_bytes_max


def test_a_recording_reads_the_same_a_byte_at_a_time() -> None:
    recording = (TRACES / "outbound_hostile_caller_name" / "events.json.esl").read_bytes()
    assert outcome(singly(recording), FrameLimits()) == outcome([recording], FrameLimits())


def test_a_recording_that_is_damaged_anywhere_has_one_outcome_too() -> None:
    """Bounded fuzz on real bytes: each damage is drawn from a fixed seed, so a failure repeats."""
    chance = random.Random(20261123)
    recording = (TRACES / "outbound_failover_second_carrier" / "events.json.esl").read_bytes()
    limits = FrameLimits(body_bytes_max=64 * 1024)
    refused = 0
    for _ in range(FUZZ_ROUNDS):
        damaged = damage(recording, chance)
        frames, is_error = outcome([damaged], limits)
        refused += is_error
        places = [chance.randrange(len(damaged)) for _ in range(chance.randrange(40))]
        assert outcome(cut(damaged, places), limits) == (frames, is_error)
    assert 0 < refused < FUZZ_ROUNDS, "the damage is to hit frames in some rounds and bodies in others"


def damage(recording: bytes, chance: random.Random) -> bytes:
    """Part of a recording with bytes changed, put in, taken out and repeated."""
    start = chance.randrange(len(recording) // 2)
    start = recording.index(b"Content-Length", start)
    data = bytearray(recording[start : start + chance.randrange(40_000)])
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at : at + 1] = chance.randbytes(1)
            case 1:
                data[at:at] = chance.choice([b"\n", b"\n\n", b"Content-Length: 9\n", chance.randbytes(8)])
            case 2:
                del data[at : at + chance.randrange(1, 2_000)]
            case 3:
                data[at:at] = data[at : at + chance.randrange(1, 2_000)]
    return bytes(data) or b"\n"
