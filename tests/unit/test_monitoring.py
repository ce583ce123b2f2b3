"""The files for Prometheus and Grafana: their own tools accept them, and all that they name is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families

from esl_agent.noc.exposition import Exposition
from esl_agent.noc.metrics import METRICS
from esl_agent.noc.tally import Tally
from esl_agent.noc.words import WORDS

TOP = Path(__file__).parents[2]
PROMETHEUS = TOP / "monitoring" / "prometheus"
RULES = yaml.safe_load((PROMETHEUS / "esl-agent.rules.yml").read_text())
ALL_RULES = [rule for group in RULES["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL_RULES if "alert" in rule}
RECORDED = {rule["record"]: rule["expr"] for rule in ALL_RULES if "record" in rule}
DASHBOARD = json.loads((TOP / "monitoring" / "grafana" / "esl-agent.json").read_text())
SCHEMA = json.loads((Path(__file__).parent / "dashboard.schema.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

#: What Prometheus adds to every series, and what its histograms have.
ADDED = {"job", "instance", "le"}
#: Of every process (prometheus_client.ProcessCollector), and Prometheus' own.
OTHERS = {
    "up": set(),
    "process_start_time_seconds": set(),
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
    "process_open_fds": set(),
    "process_max_fds": set(),
    "ALERTS": {"alertname", "alertstate", "severity", "switch", "word"},
}
#: Of the Prometheus data source, and in no schema of Grafana's.
ANNOTATIONS_OWN = {"titleFormat", "textFormat", "step"}
#: Which carriers there are is known when they carry; their alert waits for twenty legs, and may miss one.
COUNTED_LATE = {"esl_agent_carrier_legs_total"}
INCREASE = re.compile(r"\bincrease\((\w+)(?:\{(.*?)\})?\[")
NAME = re.compile(r"\b(esl_agent[\w:]*|process_\w+|up|ALERTS)\b(?:\{(.*?)\})?(?=[^\w:\"=!~(]|$)")

promtool = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(promtool is None, reason="promtool is not installed (package prometheus)")


def run_promtool(*arguments: str, folder: Path = PROMETHEUS) -> None:
    done = subprocess.run(
        [str(promtool), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    run_promtool("check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")
    run_promtool("check", "rules", "--lint=all", "--lint-fatal", "esl-agent.rules.yml")


@needs_promtool
def test_each_alert_fires_when_it_should_and_not_before() -> None:
    run_promtool("test", "rules", "esl-agent.rules.test.yml")


@needs_promtool
def test_prometheus_can_read_what_the_dashboard_asks(tmp_path: Path) -> None:
    asked = [expr.replace("$__rate_interval", "5m").replace("$instance", ".*") for expr in dashboard_exprs()]
    rules = [{"record": f"asked:{number}", "expr": expr} for number, expr in enumerate(asked)]
    (tmp_path / "asked.yml").write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    run_promtool("check", "rules", "asked.yml", folder=tmp_path)


def test_each_alert_is_tested_both_ways() -> None:
    tests = yaml.safe_load((PROMETHEUS / "esl-agent.rules.test.yml").read_text())["tests"]
    fires: dict[str, set[bool]] = {}
    for each in tests:
        for query in each.get("promql_expr_test", []):
            alert = re.search(r'alertname="(\w+)"', query["expr"])
            assert alert is not None
            fires.setdefault(alert[1], set()).add(bool(query["exp_samples"]))
    assert fires == {alert: {True, False} for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_to_do_and_where_more_is_said(alert: str) -> None:
    rule = ALERTS[alert]
    assert alert.startswith("EslAgent")
    assert rule["labels"]["severity"] in ("page", "warning", "info")
    assert rule["annotations"].keys() == {"summary", "action", "see"}
    page, _, word = rule["annotations"]["see"].partition(" ")
    assert (TOP / page).is_file()
    assert not word or f"`{word}`" in (TOP / "docs" / "log.md").read_text()


def exprs() -> Iterator[str]:
    yield from (rule["expr"] for rule in ALL_RULES)
    yield from dashboard_exprs()


def dashboard_exprs() -> Iterator[str]:
    for panel in PANELS:
        yield from (target["expr"] for target in panel["targets"])
    yield from (annotation["expr"] for annotation in DASHBOARD["annotations"]["list"])


def labels_of(name: str) -> set[str]:
    """Those that a series has by itself; raises KeyError where there is no such series."""
    if name in OTHERS:
        return OTHERS[name]
    if name in RECORDED:
        return set().union(*(labels_of(each) for each, _ in NAME.findall(RECORDED[name])))
    if name in METRICS and METRICS[name].kind != "histogram":
        return set(METRICS[name].labels)
    metric = METRICS[re.sub(r"_(bucket|sum|count)$", "", name)]
    assert metric.kind == "histogram"
    return set(metric.labels)


@pytest.mark.parametrize("expr", sorted(set(exprs())))
def test_what_is_asked_for_is_there_with_the_labels_it_is_asked_by(expr: str) -> None:
    found = NAME.findall(expr)
    assert found
    has: set[str] = set()
    for name, matchers in found:
        wanted = set(re.findall(r"(\w+)\s*[=!]~?", matchers))
        assert wanted <= labels_of(name) | ADDED
        has |= labels_of(name)
    by = {label for labels in re.findall(r"\b(?:by|on) \((.*?)\)", expr) for label in labels.split(", ")}
    assert by <= has | ADDED


def test_words_that_are_asked_for_are_said() -> None:
    asked = {
        word
        for expr in exprs()
        for words in re.findall(r'word[=!][=~]?"([^"]+)"', expr)
        for word in words.split("|")
    }
    assert all(any(re.fullmatch(word, each) for each in WORDS) for word in asked)


def test_a_counter_that_an_alert_waits_for_is_at_0_from_the_start() -> None:
    """Its first 1 would else be the first that Prometheus sees of it, and has not risen from anything."""
    text = Exposition([Tally().readings]).render("")[0].decode()
    fresh: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            fresh.setdefault(sample.name, []).append(sample.labels)
    counted = [found for rule in ALERTS.values() for found in INCREASE.findall(rule["expr"])]
    assert counted
    for name, matchers in counted:
        if name in COUNTED_LATE:
            continue
        assert name in fresh
        for label, wanted in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            assert set(wanted.split("|")) <= {labels[label] for labels in fresh[name]}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panels_legend_names_labels_that_its_series_have(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        summed = re.search(r"\bsum\b(?: by \((.*?)\))?", target["expr"])
        of_series = labels_of(NAME.findall(target["expr"])[0][0]) | ADDED
        assert named <= (set((summed[1] or "").split(", ")) if summed else of_series)


def test_the_dashboard_is_as_our_schema_has_it() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(DASHBOARD, SCHEMA)


def test_grafanas_own_types_hold_all_of_the_dashboard() -> None:
    register_default_plugins()
    held = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(DASHBOARD)))
    assert not list(lost(DASHBOARD, held))


def lost(ours: Any, held: Any, path: str = "") -> Iterator[str]:
    """Where something of ours is not there any more, or is another."""
    if isinstance(ours, dict) and isinstance(held, dict):
        for key, value in ours.items():
            if not (path.startswith("/annotations/list/") and key in ANNOTATIONS_OWN):
                yield from lost(value, held.get(key), f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(held, list) and len(ours) == len(held):
        for number, (value, kept) in enumerate(zip(ours, held, strict=True)):
            yield from lost(value, kept, f"{path}/{number}")
    elif ours != held:
        yield path


def test_panels_have_ids_of_their_own_and_cover_nothing_of_each_other() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or apart
    for panel in PANELS:
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names)


def test_every_metric_is_on_the_dashboard_or_raises_an_alert() -> None:
    named = {name for expr in exprs() for name, _ in NAME.findall(expr)}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named} | named
    assert METRICS.keys() <= shown
