"""What is counted as the log is told facts, and how the catalogue of metrics is kept."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from esl_agent.noc.exposition import Exposition
from esl_agent.noc.metrics import METRICS
from esl_agent.noc.tally import DOORS, ROWS_MAX, STATEMENTS, TROUBLES, Histogram, Tally
from esl_agent.noc.words import WORDS
from esl_agent.switch.trouble import TroubleKind

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "metrics.md"
SOURCE = "\n".join(path.read_text() for path in sorted((TOP / "esl_agent").rglob("*.py")))
#: By them everybody who calls would have a time series of his own.
PERSONAL = {"account", "account_id", "leg", "caller", "to", "number", "phone", "network"}
RATED = {"number_class": "us", "currency": "CAD", "billed_s": 6, "source": None, "carrier": "alpha"}


def told(tally: Tally) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels, in the order of their names."""
    text = Exposition([tally.readings]).render("")[0].decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_page_says_what_the_code_says() -> None:
    rows = re.findall(r"^\| `(esl_agent_\w+)` \| (\w+) \| (.*?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [
        (name, metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.meaning)
        for name, metric in METRICS.items()
    ]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_named_and_explained_as_prometheus_has_it(name: str) -> None:
    metric = METRICS[name]
    assert re.fullmatch(r"esl_agent_[a-z]+(_[a-z]+)*", name)
    assert (metric.kind == "counter") == name.endswith("_total")
    assert metric.kind != "histogram" or name.endswith("_seconds")
    assert not re.search(r"_(ms|us|mb|percent)(_|$)", name)
    assert metric.meaning.endswith(".")
    assert not PERSONAL & set(metric.labels)


def test_words_that_metrics_count_are_in_the_catalogue_of_words() -> None:
    assert {metric.word for metric in METRICS.values()} - {""} <= WORDS.keys()


def test_money_is_added_up_to_the_last_digit() -> None:
    tally = Tally()
    for _ in range(1_000):
        tally.hear("CALL_RATED", RATED | {"total": Decimal("0.0001")})
    tally.hear("CALL_RATED", RATED | {"total": Decimal("1234567.8901")})
    assert told(tally)["esl_agent_rated_amount_total", "CAD", "us"] == 1234567.9901


@pytest.mark.parametrize("word", WORDS)
def test_a_word_without_its_fields_is_counted_all_the_same(word: str) -> None:
    tally = Tally()
    tally.hear(word, {})
    assert told(tally)["esl_agent_log_words_total", WORDS[word].level, word] == 1


def test_a_call_that_asked_is_timed_and_one_that_just_came_is_not() -> None:
    tally = Tally()
    tally.hear("CALL_ADMITTED", {"product": "termination", "took_ms": 4.2})
    tally.hear("CALL_ADMITTED", {"product": "inbound", "free": True})
    tally.hear("CALL_REFUSED", {"reason": "no_funds", "took_ms": 30.0})
    samples = told(tally)
    assert samples["esl_agent_admission_seconds_count",] == 2
    assert samples["esl_agent_admission_seconds_bucket", "0.005"] == 1
    assert samples["esl_agent_admission_seconds_sum",] == pytest.approx(0.0342)
    assert samples["esl_agent_calls_admitted_total", "yes", "termination"] == 1
    assert samples["esl_agent_calls_admitted_total", "no", "inbound"] == 1
    assert samples["esl_agent_calls_refused_total", "no_funds"] == 1


def test_early_and_late_cuts_are_told_apart() -> None:
    tally = Tally()
    for early_ms in (60.0, 0.0, -1.5):
        tally.hear("CALL_CUT_LANDED", {"early_ms": early_ms})
    samples = told(tally)
    assert samples["esl_agent_cut_early_seconds_count",] == 2
    assert samples["esl_agent_cut_late_seconds_count",] == 1
    assert samples["esl_agent_cut_late_seconds_sum",] == pytest.approx(0.0015)


def test_an_event_without_a_stamp_has_no_lag() -> None:
    tally = Tally()
    tally.event_done(0, 1_700_000_000_000_000)
    tally.event_done(1_000_000, 1_020_000)
    assert told(tally)["esl_agent_event_lag_seconds_count",] == 1


def test_what_comes_with_ever_new_labels_is_counted_as_other() -> None:
    tally = Tally()
    for number in range(ROWS_MAX + 10):
        tally.hear("CALL_RATED", RATED | {"total": Decimal(0), "carrier": f"carrier {number}"})
    legs = {key: value for key, value in told(tally).items() if key[0] == "esl_agent_carrier_legs_total"}
    assert len(legs) == ROWS_MAX + 1
    assert legs["esl_agent_carrier_legs_total", "other", "other"] == 10


def test_every_word_of_the_log_is_told_from_the_start() -> None:
    samples = told(Tally())
    assert {key[2] for key in samples if key[0] == "esl_agent_log_words_total"} == set(WORDS)
    assert not any(value for key, value in samples.items() if key[0].startswith("esl_agent_"))


def test_what_postgres_may_refuse_and_what_may_go_wrong_at_a_door_is_told_from_the_start() -> None:
    """A series that begins with 1 has not risen, as Prometheus sees it: its first event would wake nobody."""
    said = re.findall(r'"DB_REFUSED",\s*(.*)', SOURCE)
    statements = [re.search(r'^statement="(\w+)"', each) for each in said]
    assert said
    assert {each[1] for each in statements if each} == set(STATEMENTS)
    assert all(statements), said
    assert set(re.findall(r'Complaints\(\s*"(\w+)"', SOURCE)) == set(DOORS)
    assert set(TROUBLES) == set(TroubleKind)
    samples = told(Tally())
    assert all(samples["esl_agent_database_refusals_total", each] == 0 for each in STATEMENTS)
    troubles = product(DOORS, TROUBLES)
    assert all(samples["esl_agent_door_trouble_total", door, kind] == 0 for door, kind in troubles)


@given(st.lists(st.floats(0, 20)))
def test_a_histogram_counts_each_value_once_in_the_first_bound_that_has_it(values: list[float]) -> None:
    histogram = Histogram((0.5, 1.0, 10.0))
    for value in values:
        histogram.observe(value)
    assert sum(histogram.counts) == len(values)
    assert histogram.counts[0] == sum(value <= 0.5 for value in values)
    assert histogram.counts[-1] == sum(value > 10.0 for value in values)
    assert histogram.sum == pytest.approx(sum(values))


def test_a_picture_is_the_same_in_the_newer_format() -> None:
    tally = Tally()
    tally.hear("CALL_CUT", {})
    text, media_type = Exposition([tally.readings]).render("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert text.decode().endswith("# EOF\n")
    assert "esl_agent_calls_cut_total 1.0" in text.decode()
