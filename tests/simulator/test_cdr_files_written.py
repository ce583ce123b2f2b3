"""The files that mod_json_cdr would have written."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import pytest

from esl_agent.simulator.plan import CallPlan, Kind, Outcome
from esl_agent.switch.cdr_file import leg_uuid_of, read_cdr_file
from esl_agent.switch.events import decode_event
from esl_agent.switch.legs import leg_end_of

from .bench import Bench

TRACES = Path(__file__).parents[1] / "traces"


def test_each_leg_has_a_file_that_tells_its_real_duration(tmp_path: Path) -> None:
    bench = Bench(cdr_dir=tmp_path)
    call = bench.place(carriers_refusing=1)
    bench.pass_s(10)

    legs = bench.truths()
    names = {f"{'' if leg.is_outbound else 'a_'}{leg.uuid}.cdr.json" for leg in legs.values()}
    assert {file.name for file in tmp_path.iterdir()} == names
    assert len(names) == 3
    for file in tmp_path.iterdir():
        cdr = json.loads(file.read_text())
        leg = legs[cdr["variables"]["uuid"]]
        assert int(cdr["variables"]["billusec"]) == leg.duration_us
        assert cdr["variables"]["hangup_cause"] == leg.cause
        assert cdr["core-uuid"] == bench.core.identity.core_uuid
    assert call.ended


def test_a_file_is_there_before_the_event_that_says_so(tmp_path: Path) -> None:
    bench = Bench(["CHANNEL_HANGUP_COMPLETE"], cdr_dir=tmp_path)
    seen = []
    bench.ear.deliver = lambda event: seen.append((event.leg_uuid, sorted(tmp_path.iterdir())))  # type: ignore[method-assign]
    bench.place()
    bench.pass_s(10)

    assert len(seen) == 2
    for leg_uuid, files in seen:
        assert any(leg_uuid in file.name for file in files)


@pytest.mark.parametrize("side", ["inbound", "outbound"])
def test_a_file_has_the_parts_and_variables_of_a_recorded_one(tmp_path: Path, side: str) -> None:
    bench = Bench(cdr_dir=tmp_path)
    bench.place(talk_ms=3540)
    bench.pass_s(10)

    def of_side(folder: Path) -> dict[str, dict[str, str]]:
        cdrs = [json.loads(file.read_text()) for file in folder.iterdir()]
        return next(cdr for cdr in cdrs if cdr["variables"]["direction"] == side)

    mine = of_side(tmp_path)
    recorded = of_side(TRACES / "outbound_us_caller_hangup" / "json_cdr")
    rename = {"billed_account": "esl_account", "billed_product": "esl_product", "carrier": "esl_carrier"}
    expected = [
        next((name.replace(old, new) for old, new in rename.items() if name.endswith(old)), name)
        for name in recorded["variables"]
    ]
    assert [name for name in mine["variables"] if "esl_number" not in name] == expected
    assert set(mine) | {"app_log"} == set(recorded) | {"app_log"}
    (flow,), (recorded_flow,) = mine["callflow"], recorded["callflow"]
    assert set(flow["times"]) == set(recorded_flow["times"])  # type: ignore[index]
    assert set(flow["caller_profile"]) == set(recorded_flow["caller_profile"])  # type: ignore[index]


def test_values_are_url_encoded_as_the_module_does(tmp_path: Path) -> None:
    bench = Bench(cdr_dir=tmp_path)
    bench.place(caller_name='Zoé "X"')
    bench.pass_s(10)

    for file in tmp_path.iterdir():
        variables = json.loads(file.read_text())["variables"]
        assert variables["caller_id"] == "%22Zo%C3%A9%20%22X%22%22%20%3C15145550100%3E"
        assert unquote(variables["caller_id"]) == '"Zoé "X"" <15145550100>'
        if variables["direction"] == "inbound":
            assert unquote(variables["DP_MATCH"]) == "ARRAY::12125550147|:12125550147"


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_file_tells_what_the_legs_last_event_tells(tmp_path: Path, kind: Kind, outcome: Outcome) -> None:
    bench = Bench(["CHANNEL_HANGUP_COMPLETE"], cdr_dir=tmp_path)
    bench.place(kind=kind, outcome=outcome, carriers_refusing=1, audio=True, jitter_ms="2.50")
    bench.place(kind=kind, outcome=outcome, caller_name='Zo\udce9 "%41"', transfer_to="442079460000")
    bench.pass_s(120)

    heard = {end.leg.leg_uuid: end for end in (leg_end_of(decode_event(body)) for body in bench.ear.bodies)}
    written = {leg_uuid_of(file.name): read_cdr_file(file) for file in tmp_path.iterdir()}
    assert len(heard) >= 2
    assert written == heard


def test_the_truth_goes_to_a_file_too(tmp_path: Path) -> None:
    bench = Bench(truth_file=tmp_path / "truth.jsonl")
    for _ in range(3):
        bench.place()
    bench.pass_s(10)
    bench.core.truth.close()

    lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    assert {(line["uuid"], line["answered_us"], line["ended_us"]) for line in lines} == {
        (leg.uuid, leg.answered_us, leg.ended_us) for leg in bench.core.truth.legs
    }
    assert len(lines) == 6


def test_memory_of_the_truth_is_bounded_and_its_count_goes_on() -> None:
    bench = Bench(truth_max=3)
    for _ in range(3):
        bench.core.place(CallPlan())
    bench.pass_s(10)

    assert (len(bench.core.truth.legs), bench.core.truth.count) == (3, 6)
