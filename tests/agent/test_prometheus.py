"""A real Prometheus, with the configuration as shipped, collects from a real daemon."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from esl_agent.files import monitoring_dir
from esl_agent.lab.child import Child, wait_until
from esl_agent.lab.ports import free_port
from esl_agent.simulator.plan import CallPlan

from .conftest import PATIENCE_S
from .served import Served, serve

__all__ = ["serve"]

#: So that nobody waits for a test.
EVERY = "1s"
DASHBOARD = json.loads((monitoring_dir() / "grafana" / "esl-agent.json").read_text())
#: What only is there when something is wrong, or after minutes.
MAY_BE_EMPTY = ("> 0", "ALERTS", "rate(", "increase(", ":share_", ":p99_", ":p50_")

prometheus = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(prometheus is None, reason="prometheus is not installed")


class Prometheus:
    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, what: str, **parameters: str) -> Any:
        with urlopen(f"http://{self._address}/api/v1/{what}?{urlencode(parameters)}") as answer:
            return json.load(answer)["data"]

    def value(self, expr: str) -> float | None:
        found = self.ask("query", query=expr)["result"]
        return float(found[0]["value"][1]) if found else None

    def has_evaluated(self) -> bool:
        """Whether every rule could be."""
        return all(rule["health"] == "ok" for group in self.ask("rules")["groups"] for rule in group["rules"])

    def alerts(self) -> dict[str, str]:
        """Those that fire or are about to."""
        return {alert["labels"]["alertname"]: alert["state"] for alert in self.ask("alerts")["alerts"]}

    def is_collecting(self) -> bool:
        with suppress(URLError, ConnectionError):
            return self.value('up{job="esl-agent"}') == 1
        return False


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    served = serve()
    served.wait_for("/readyz", 200)
    return served


@pytest.fixture
def collecting(served: Served, tmp_path: Path) -> Iterator[Prometheus]:
    shipped = monitoring_dir() / "prometheus"
    config = yaml.safe_load((shipped / "prometheus.yml").read_text())
    config["global"] = {"evaluation_interval": EVERY}
    config["rule_files"] = [str(shipped / name) for name in config["rule_files"]]
    [job] = config["scrape_configs"]
    job |= {"scrape_interval": EVERY, "scrape_timeout": EVERY}
    job["static_configs"] = [{"targets": [served.address]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(prometheus), "--config.file=prometheus.yml", "--storage.tsdb.path=data",
        f"--web.listen-address={address}",
    ]  # fmt: skip
    process = Child(command, tmp_path / "prometheus.log")
    try:
        collecting = Prometheus(address)
        wait_until(collecting.is_collecting, f"it collects: {process.tail()}", PATIENCE_S)
        yield collecting
    finally:
        process.stop()


def test_a_daemon_that_is_well_raises_no_alert_and_fills_the_dashboard(
    served: Served, collecting: Prometheus
) -> None:
    served.simulator.place_call(CallPlan(number="442079460000", ring_ms=20, talk_ms=200))
    rated = "sum(esl_agent_rated_amount_total)"
    wait_until(lambda: bool(collecting.value(rated)), "the call is collected", PATIENCE_S)
    assert collecting.value(rated) == 0.0013
    wait_until(collecting.has_evaluated, "all rules are evaluated", PATIENCE_S)
    assert "firing" not in collecting.alerts().values()
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
            found = collecting.ask("query", query=expr)["result"]
            assert found or any(part in expr for part in MAY_BE_EMPTY), expr


def test_a_switch_that_is_lost_is_about_to_wake_somebody(served: Served, collecting: Prometheus) -> None:
    served.simulator.stop()
    wait_until(lambda: "EslAgentSwitchLost" in collecting.alerts(), "an alert", PATIENCE_S)
    assert collecting.alerts()["EslAgentSwitchLost"] in ("pending", "firing")
