"""What the simulated switch's dialplan does with a call: applications, in order.

Two worlds.  With no `admission` set, the dialplan itself says who pays, as a
dialplan by hand would; with it, the call asks a socket server first and then
goes where it was told, as in the shipped dialplan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from esl_agent.core.admission.variables import ROUTES
from esl_agent.core.leg import Product
from esl_agent.simulator.plan import CallPlan, Kind
from esl_agent.switch.embedded import ASKED_BY

if TYPE_CHECKING:
    from esl_agent.simulator.config import SimulatorConfig
    from esl_agent.simulator.leg import Value

Application = tuple[str, str]

#: After which the next carrier is tried, of those that the simulated ones give.
FAILOVER_CAUSES = "NORMAL_TEMPORARY_FAILURE,DESTINATION_OUT_OF_ORDER,REQUESTED_CHAN_UNAVAIL"
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
    return Route(variables, _asking(config, plan) if config.admission else _by_itself(config, plan))


def _asking(config: SimulatorConfig, plan: CallPlan) -> list[Application]:
    applications = [
        ("set", "hangup_after_bridge=true"),
        ("set", f"continue_on_fail={FAILOVER_CAUSES}"),
    ]
    if plan.kind is Kind.OUTBOUND:
        applications += _ask(config, account=plan.account, product=Product.TERMINATION)
    else:
        applications += _ask(config, product=Product.INBOUND, number=plan.did, did=plan.did, trunk="true")
    if plan.kind is Kind.INBOUND:
        return [*applications, ("bridge", f"sofia/customer/{plan.device}@127.0.0.1:5071")]
    if plan.kind is Kind.FORWARDED:
        applications += _ask(
            config, product=Product.FORWARDING, number=plan.number, did=plan.did, trunk="true"
        )
    return [*applications, *(("bridge", f"${{{route}}}") for route in ROUTES), ("hangup", "")]


def _ask(config: SimulatorConfig, **asked: str) -> list[Application]:
    """The question, and the answer where it is a refusal: `respond` without a status does nothing."""
    return [
        *(("set", f"{name}={asked.get(field, '')}") for field, name in ASKED_BY.items()),
        ("set", "esl_sip_code=503"),
        ("set", "socket_resume=true"),
        ("socket", f"{config.admission} async full"),
        ("respond", "${esl_sip_code}"),
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
