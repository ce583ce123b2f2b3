"""What the frame reader makes of the messages that FreeSWITCH sends, and of those it never would."""

from pathlib import Path

import pytest

from esl_agent.errors import EslAgentError
from esl_agent.switch.frames import Frame, FrameError, FrameLimits, FrameReader

TRACES = Path(__file__).parents[1] / "traces"


def read(data: bytes, limits: FrameLimits | None = None) -> list[Frame]:
    reader = FrameReader(limits)
    reader.feed(data)
    return list(reader)


def test_the_first_thing_a_switch_says_is_that_it_wants_a_password() -> None:
    assert read(b"Content-Type: auth/request\n\n") == [
        Frame("auth/request", {}, b""),
    ]


def test_a_reply_is_its_text() -> None:
    (frame,) = read(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
    assert (frame.content_type, frame.reply_text) == ("command/reply", "+OK accepted")


def test_a_reply_to_bgapi_names_its_job_in_a_header_too() -> None:
    job = "c48a90af-81e0-4553-9077-9baca0569174"
    (frame,) = read(
        f"Content-Type: command/reply\nReply-Text: +OK Job-UUID: {job}\nJob-UUID: {job}\n\n".encode()
    )
    assert frame.reply_text == f"+OK Job-UUID: {job}"
    assert frame.headers["Job-UUID"] == job


def test_an_api_answer_is_its_body_with_the_empty_lines_that_are_in_it() -> None:
    (frame,) = read(b"Content-Type: api/response\nContent-Length: 11\n\n+OK\n\nmore\n\n")
    assert frame.body == b"+OK\n\nmore\n\n"


def test_an_event_is_left_as_the_bytes_it_came_in() -> None:
    frames = read(b'Content-Length: 21\nContent-Type: text/event-json\n\n{"Event-Name":"HEART}')
    assert frames == [Frame("text/event-json", {}, b'{"Event-Name":"HEART}')]


def test_an_event_may_have_its_headers_in_another_order_or_more_of_them() -> None:
    frames = read(
        b"Content-Type: text/event-json\nContent-Length: 2\n\n{}"
        b"Content-Length: 2\nContent-Type: text/event-json\nX: y\n\n{}"
    )
    assert frames == [Frame("text/event-json", {}, b"{}"), Frame("text/event-json", {"X": "y"}, b"{}")]


def test_a_disconnect_notice_may_say_that_it_lingers() -> None:
    (frame,) = read(
        b"Content-Type: text/disconnect-notice\n"
        b"Controlled-Session-UUID: d1eb2c6a-47a7-41b5-8f0f-2bde42bfaf4b\n"
        b"Content-Disposition: linger\n"
        b"Channel-Name: sofia/customer/15145550100@127.0.0.1:5070\n"
        b"Linger-Time: 5\n"
        b"Content-Length: 0\n\n"
    )
    assert (frame.headers["Content-Disposition"], frame.body) == ("linger", b"")


def test_log_data_has_headers_of_its_own_and_may_leave_the_last_one_empty() -> None:
    (frame,) = read(
        b"Content-Type: log/data\nContent-Length: 5\nLog-Level: 2\nText-Channel: 0\n"
        b"Log-File: mod_event_socket.c\nLog-Func: event_handler\nLog-Line: 387\nUser-Data: \n\nLost\n"
    )
    assert (frame.headers["User-Data"], frame.body) == ("", b"Lost\n")


def test_the_answer_to_connect_is_a_channel_in_headers_still_encoded() -> None:
    (frame,) = read(
        b"Event-Name: CHANNEL_DATA\nCaller-Caller-ID-Name: x%0Avariable_accountcode%3A%209999\n"
        b"Content-Type: command/reply\nReply-Text: %2BOK%0A\nSocket-Mode: async\nControl: full\n\n"
    )
    assert frame.headers["Caller-Caller-ID-Name"] == "x%0Avariable_accountcode%3A%209999"
    assert "variable_accountcode" not in frame.headers


def test_bytes_that_are_not_utf_8_spoil_a_header_and_nothing_else() -> None:
    (frame,) = read(b"Content-Type: command/reply\nReply-Text: +OK \xff\n\n")
    assert frame.reply_text == "+OK \N{REPLACEMENT CHARACTER}"


def test_a_recording_of_a_real_switch_reads_to_its_last_byte() -> None:
    reader = FrameReader()
    reader.feed((TRACES / "outbound_us_caller_hangup" / "events.json.esl").read_bytes())
    frames = list(reader)
    assert len(frames) == 16
    assert {frame.content_type for frame in frames} == {"text/event-json"}
    assert all(frame.body.startswith(b'{"Event-Name":"C') and frame.body.endswith(b"}") for frame in frames)
    assert reader.is_between_frames


def test_a_plain_recording_reads_to_its_last_byte_too() -> None:
    reader = FrameReader()
    reader.feed((TRACES / "outbound_us_caller_hangup" / "events.plain.esl").read_bytes())
    assert {frame.content_type for frame in reader} == {"text/event-plain"}
    assert reader.is_between_frames


def test_a_frame_that_is_cut_off_is_awaited_and_known_to_be_half_read() -> None:
    reader = FrameReader()
    reader.feed(b"Content-Type: api/response\nContent-Length: 4\n\n+O")
    assert list(reader) == []
    assert not reader.is_between_frames
    reader.feed(b"K\n")
    assert [frame.body for frame in reader] == [b"+OK\n"]
    assert reader.is_between_frames


def test_a_header_may_be_repeated_as_the_switch_does() -> None:
    (frame,) = read(b"Content-Type: command/reply\nHangup-Cause: USER_BUSY\nHangup-Cause: USER_BUSY\n\n")
    assert frame.headers["Hangup-Cause"] == "USER_BUSY"


def test_a_buffer_that_grew_for_a_large_body_shrinks_after_it() -> None:
    reader = FrameReader(buffer_bytes=1024)
    body = b"x" * 100_000
    for piece in (b"Content-Type: api/response\nContent-Length: 100000\n\n", body[:60_000], body[60_000:]):
        reader.feed(piece)
        frames = list(reader)
    assert [frame.body for frame in frames] == [body]
    assert len(reader.space()) == 1024


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\n\n", "no name and value"),
        (b"Reply-Text: +OK\n\n", "no Content-Type"),
        (b"Content-Type: command/reply\nnonsense\n\n", "no name and value"),
        (b"Content-Type: command/reply\n: nameless\n\n", "no name and value"),
        (b"Content-Type: api/response\nContent-Length: -1\n\n", "is no number"),
        (b"Content-Type: api/response\nContent-Length: 12\r\n\n", "is no number"),
        (b"Content-Type: api/response\nContent-Length: \xd9\xa1\n\n", "is no number"),
        (b"Content-Type: api/response\nContent-Length: 1\nContent-Length: 2\n\n", "comes twice"),
        (b"Content-Type: command/reply\nReply-Text: -ERR\nReply-Text: +OK\n\n", "comes twice"),
        (b"Content-Type: api/response\nContent-Length: 999999999999\n\n", "999999999999 bytes is announced"),
    ],
)
def test_what_no_switch_would_send_is_refused_and_said(data: bytes, says: str) -> None:
    with pytest.raises(FrameError, match=says) as caught:
        read(data)
    assert isinstance(caught.value, EslAgentError)


def test_the_frames_before_a_bad_one_are_not_lost() -> None:
    reader = FrameReader()
    reader.feed(b"Content-Type: auth/request\n\n\n\n")
    frames = iter(reader)
    assert next(frames).content_type == "auth/request"
    with pytest.raises(FrameError):
        next(frames)


def test_a_reader_that_lost_its_place_never_finds_it_again() -> None:
    reader = FrameReader()
    reader.feed(b"\n\n")
    for _ in range(2):
        with pytest.raises(FrameError):
            list(reader)
        reader.feed(b"Content-Type: auth/request\n\n")


def test_headers_without_an_end_are_refused_at_the_limit() -> None:
    reader = FrameReader(FrameLimits(header_bytes_max=64))
    reader.feed(b"Content-Type: " + b"x" * 50)
    assert list(reader) == []
    reader.feed(b"xx")
    with pytest.raises(FrameError, match="over 64 bytes"):
        list(reader)


def test_a_header_block_may_be_exactly_as_long_as_the_limit() -> None:
    block = b"Content-Type: command/reply\nReply-Text: +OK"
    (frame,) = read(block + b"\n\n", FrameLimits(header_bytes_max=len(block)))
    assert frame.reply_text == "+OK"
    with pytest.raises(FrameError):
        read(block + b"\n\n", FrameLimits(header_bytes_max=len(block) - 1))


def test_a_body_over_the_limit_is_refused_before_it_comes() -> None:
    with pytest.raises(FrameError, match="17 bytes is announced; 16 are allowed"):
        read(b"Content-Type: api/response\nContent-Length: 17\n\n", FrameLimits(body_bytes_max=16))
