"""Whatever comes as an event is read or refused with one error, and never names another payer."""

import json
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from esl_agent.switch.events import EventError, VariableNames, decode_event
from esl_agent.switch.frames import FrameReader
from esl_agent.switch.legs import account_fault, leg_end_of, leg_of

TRACES = Path(__file__).parents[1] / "traces"
RECORDED = VariableNames(account="billed_account", product="billed_product")
FUZZ_ROUNDS = 2_000

FIELDS = sorted(
    {
        "Event-Name",
        "Unique-ID",
        "Call-Direction",
        "Event-Sequence",
        "Caller-Channel-Created-Time",
        "Caller-Channel-Answered-Time",
        "Caller-Channel-Hangup-Time",
        "Caller-Destination-Number",
        "variable_esl_account",
        "variable_esl_product",
        "variable_proto_specific_hangup_cause",
        "variable_rtp_audio_in_mos",
        "variable_rtp_audio_in_media_packet_count",
        "_body",
    }
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
plausible = st.sampled_from(["", "0", "1001", "1795400040523139", "outbound", "inbound", "sip:486", "4.50"])
objects = st.dictionaries(
    st.sampled_from(FIELDS) | st.text(max_size=8), plausible | st.text(max_size=8) | anything, max_size=14
)


def read(body: bytes, names: VariableNames | None = None) -> None:
    """Take everything there is from a body; only EventError may stop it."""
    try:
        event = decode_event(body, names or VariableNames())
        account_fault(event)
        leg_of(event)
        leg_end_of(event)
    except EventError:
        pass


@given(objects)
def test_any_object_is_read_or_refused(values: dict[str, object]) -> None:
    read(json.dumps(values).encode())
    read(json.dumps({"Event-Name": "CHANNEL_HANGUP_COMPLETE"} | values).encode())


@given(st.binary(max_size=300) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    read(body)


@given(st.text())
def test_no_text_of_a_caller_names_a_payer(text: str) -> None:
    """A caller fills values; the switch prefixes the names of all that he brings."""
    body = json.dumps(
        {
            "Event-Name": "CHANNEL_CREATE",
            "Caller-Caller-ID-Name": text,
            "Caller-Caller-ID-Number": text,
            f"variable_sip_h_X-{text}": text,
            "variable_sip_from_display": text,
        }
    ).encode()
    event = decode_event(body)
    assert (event.name, event.account, event.product) == ("CHANNEL_CREATE", "", "")


def test_recorded_events_that_are_damaged_are_read_or_refused() -> None:
    """Bounded fuzz from a fixed seed, so that a failure repeats."""
    chance = random.Random(20261123)
    reader = FrameReader()
    reader.feed((TRACES / "outbound_failover_second_carrier" / "events.json.esl").read_bytes())
    bodies = [frame.body for frame in reader]
    for _ in range(FUZZ_ROUNDS):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randrange(1, 8)):
            at = chance.randrange(len(body))
            body[at : at + chance.randrange(3)] = chance.choice(
                [b'"', b"\\", b"[", b"}", chance.randbytes(2)]
            )
        read(bytes(body), RECORDED)
