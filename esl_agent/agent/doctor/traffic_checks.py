"""What `esl-agent doctor` says of the rules of traffic."""

from __future__ import annotations

from esl_agent.agent.doctor.checks import Finding, Findings, Verdict
from esl_agent.agent.traffic.rules import load_rules
from esl_agent.config import Config
from esl_agent.core.traffic.rule_file import RuleFileError


def check_traffic(config: Config) -> Findings:
    """Traffic is watched, by rules that can be used: with others no daemon starts."""
    try:
        rules = load_rules(config.traffic.rules_file)
    except RuleFileError as error:
        for problem in error.problems:
            yield Finding(Verdict.BAD, problem, f"in {config.traffic.rules_file}; docs/traffic.md")
        return
    if not config.traffic.watch:
        yield Finding(
            Verdict.WARNING, "traffic is not watched", "set [traffic] watch, unless another daemon does"
        )
        return
    which = config.traffic.rules_file or "the rules as shipped"
    yield Finding(Verdict.GOOD, f"traffic is watched by {len(rules.rules)} rules ({which})")
