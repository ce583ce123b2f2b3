"""`python -m esl_agent.lab.stage FOLDER`: the files of compose.yaml's switch, carrier and customers.

The same dialplan and the same scenarios that the tests play on a FreeSWITCH
of this machine, for containers: FOLDER/conf is FreeSWITCH's configuration,
FOLDER/scenarios has what each SIPp plays.  Addresses and passwords come from
the environment, where compose.yaml says them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from esl_agent.errors import EslAgentError
from esl_agent.files import dialplan_dir
from esl_agent.lab.network import DOMAIN, Carrier, Network, Phone
from esl_agent.lab.scripts import script
from esl_agent.lab.switch_files import write_switch_files, write_variables

SETTINGS: Final = (
    "STAGE_SWITCH",
    "STAGE_CARRIER",
    "STAGE_PHONE_PASSWORD",
    "STAGE_EVENT_PASSWORD",
    "STAGE_EVENT_PORT",
    "STAGE_ADMISSION_PORT",
)
CUSTOMER_PORT: Final = 5060
CARRIER_PORT: Final = 5080
RTP_PORTS: Final = (16_384, 17_383)
#: Not in FreeSWITCH's published images; calls ask by the outbound socket.
LACKING: Final = ("mod_python3",)

#: Who calls where: phone, account, the number that it shows, what it dials, and its scenario.
CALLS: Final = (
    ("garage", "1001", "15145550101", "011442079460000", "call"),
    ("clinic", "1002", "15145550102", "+525512345678", "call"),
    ("cafe", "1003", "15145550103", "0115352345678", "stay"),  # till its money ends
)
TALK_MS: Final = 4_000
RING_MS: Final = 200


def stage(folder: Path, environment: Mapping[str, str]) -> None:
    """Write the files; raises EslAgentError where a setting is missing."""
    if missing := [name for name in SETTINGS if not environment.get(name)]:
        raise EslAgentError(f"the environment lacks {', '.join(missing)}: see compose.yaml")
    host, _, port = environment["STAGE_CARRIER"].partition(":")
    password = environment["STAGE_PHONE_PASSWORD"]
    phones = [Phone(user, password, account, shows) for user, account, shows, _, _ in CALLS]
    conf = folder / "conf"
    people = Network(phones, [Carrier("alpha", int(port), host)])
    write_switch_files(conf, dialplan_dir(), people, without=LACKING)
    variables: dict[str, str | int] = {
        "esl_sip_ip": environment["STAGE_SWITCH"],
        "esl_domain": DOMAIN,
        "esl_customer_port": CUSTOMER_PORT,
        "esl_carrier_port": CARRIER_PORT,
        "esl_event_port": environment["STAGE_EVENT_PORT"],
        "esl_event_password": environment["STAGE_EVENT_PASSWORD"],
        "esl_admission_address": f"127.0.0.1:{environment['STAGE_ADMISSION_PORT']}",
        "lab_rtp_first": RTP_PORTS[0],
        "lab_rtp_last": RTP_PORTS[1],
    }
    write_variables(conf, variables)
    _write_scenarios(folder / "scenarios")


def _write_scenarios(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"carrier": script("carrier", busy="none", down="none", ring_ms=RING_MS, headers="")}
    for user, _, _, number, scenario in CALLS:
        places = {"user": user, "from_user": user, "display": "", "number": number, "domain": DOMAIN}
        texts[user] = script(scenario, **places, uri_params="", headers="", talk_ms=TALK_MS)
    for name, text in texts.items():
        (folder / f"{name}.xml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        stage(Path(sys.argv[1]), os.environ)
    except EslAgentError as error:
        raise SystemExit(f"stage: {error}") from None
