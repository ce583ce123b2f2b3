"""What the simulated switch's dialplan does with a call: applications, in order.

Two worlds.  With no `admission` set, the dialplan itself says who pays, as a
dialplan by hand would; with it, the call asks a socket server first and then
bridges with the dial string that it was given, as the shipped dialplan does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from esl_agent.core.leg import Product
from esl_agent.simulator.plan import CallPlan, Kind

if TYPE_CHECKING:
    from esl_agent.simulator.config import SimulatorConfig
    from esl_agent.simulator.leg import Value

Application = tuple[str, str]

#: Dialled by a transfer, not by a phone: played, then hung up.
ANNOUNCEMENT_PREFIX = "announce"


@dataclass(frozen=True, slots=True)
class Route:
    """What happens to a call: variables that are there before anything runs, then applications."""

    variables: dict[str, Value]
    applications: list[Application]


def route(config: SimulatorConfig, plan: CallPlan, destination: str) -> Route:
    """The route of a call to `destination`, which a transfer may have changed."""
    if destination.startswith(ANNOUNCEMENT_PREFIX):
        return Route({}, [("answer", ""), ("playback", destination), ("hangup", "NORMAL_CLEARING")])
    variables: dict[str, Value] = {}
    if plan.kind is not Kind.FORWARDED:
        variables["DP_MATCH"] = (destination, destination)
    if plan.kind is Kind.OUTBOUND or not config.admission:
        variables["accountcode"] = plan.account  # who calls in from outside is no customer
    variables |= plan.variables
    return Route(variables, _asking(config) if config.admission else _by_itself(config, plan))


def _asking(config: SimulatorConfig) -> list[Application]:
    return [
        ("set", "hangup_after_bridge=true"),
        ("set", "continue_on_fail=true"),
        ("set", "socket_resume=true"),
        ("socket", f"{config.admission} async full"),
        ("bridge", f"${{{config.dial_variable}}}"),
        ("respond", f"${{{config.refusal_variable}}}"),
    ]


def _by_itself(config: SimulatorConfig, plan: CallPlan) -> list[Application]:
    names = config.names
    applications = [("set", "hangup_after_bridge=true")]
    if plan.kind is Kind.INBOUND:
        if plan.product is not None:
            applications += [
                ("set", f"{names.account}={plan.account}"),
                ("set", f"{names.product}={plan.product}"),
                ("set", f"{names.number}={plan.did}"),
            ]
        return [*applications, ("bridge", f"sofia/customer/{plan.device}@127.0.0.1:5071")]
    applications.append(("set", "continue_on_fail=true"))
    if plan.product is not None:
        applications += [
            ("export", f"nolocal:{names.account}={plan.account}"),
            ("export", f"nolocal:{names.product}={plan.product}"),
            ("export", f"nolocal:{names.number}={plan.number}"),
        ]
    if plan.product is Product.FORWARDING:
        applications.append(("export", f"nolocal:{names.forwarded_from}={plan.did}"))
    applications.append(("export", "nolocal:outbound_redirect_fatal=true"))
    targets = (
        f"[{names.carrier}={carrier.name}]sofia/carrier/{plan.number}@{carrier.address}"
        for carrier in config.carriers
    )
    return [*applications, ("bridge", "|".join(targets)), ("respond", "503")]
