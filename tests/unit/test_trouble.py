"""Complaints about a door's peers are counted all and told seldom."""

from esl_agent.switch.trouble import DETAIL_CHARS_MAX, TELL_EVERY_S, Complaints, Trouble, TroubleKind

SILENT, FULL = TroubleKind.SILENT, TroubleKind.FULL


def test_each_kind_is_told_at_once_and_then_seldom_with_how_many_there_were() -> None:
    told: list[Trouble] = []
    now = [100.0]
    complaints = Complaints("outbound", told.append, lambda: now[0])
    for number in range(5):
        complaints.tell(SILENT, f"peer {number}")
    complaints.tell(FULL, "another kind")
    now[0] += TELL_EVERY_S
    complaints.tell(SILENT, "peer 5")
    assert told == [
        Trouble("outbound", SILENT, "peer 0", 1),
        Trouble("outbound", FULL, "another kind", 1),
        Trouble("outbound", SILENT, "peer 5", 5),
    ]
    assert complaints.counts == {SILENT: 6, FULL: 1}


def test_a_detail_is_one_line_of_bounded_length() -> None:
    told: list[Trouble] = []
    Complaints("local", told.append).tell(SILENT, "a\nb\r\n c" + "x" * 10_000)
    assert told[0].detail.startswith("a b cxxx")
    assert len(told[0].detail) == DETAIL_CHARS_MAX
