"""docs/install.md, followed as it is written on a real FreeSWITCH with its vanilla configuration.

Its first two blocks say where things are and install what a test has already;
all others run as they stand, in one shell, in an empty directory.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import psycopg
import pytest

from esl_agent.lab.freeswitch import FOLDERS, NoFreeSwitch, find_freeswitch
from esl_agent.lab.ports import free_port, free_row
from esl_agent.lab.sipp import NoSipp, find_sipp
from esl_agent.store.embedded import EmbeddedPostgres

GUIDE: Final = Path(__file__).parents[2] / "docs" / "install.md"
#: Where a built FreeSWITCH keeps the configuration that it came with.
VANILLA: Final = ("etc/freeswitch", "conf")
FOLLOWED_S: Final = 120

#: What stands for the guide's first two blocks.
SETTINGS: Final = """\
set -eu
export FS_USER=$(id -un) FS_GROUP=$(id -gn)
export FS_CONF={folder}/conf FS_LOG={folder}/log FS_RESTART="sh {folder}/restart"
export SIP_IP=127.0.0.1 CUSTOMER_PORT={customer} CARRIER_PORT={carrier} CARRIER=127.0.0.1:{far_end}
export SIP_DOMAIN=sip.example.com EVENT_PASSWORD=0123456789abcdef
export ESL_AGENT_DATABASE_URL="{url}"
"""
#: The test's own: the switch is this one's alone, and its ports are free ones.
OWN_PORTS: Final = """\
sed -i -e 's/esl_event_port=8021/esl_event_port={event}/' -e 's/127.0.0.1:8084/127.0.0.1:{admission}/' \\
    "$FS_CONF/esl_agent_vars.xml"
export ESL_AGENT_SWITCH_PORT={event} ESL_AGENT_ADMISSION_OUTBOUND_PORT={admission} ESL_AGENT_WEB_PORT={web}
fs_cli() {{ command fs_cli -P {event} "$@"; }}
"""
#: What the guide leaves running is ended.
END: Final = "\nkill $! $CARRIER_PID %1 2> /dev/null || true\n"


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)


def vanilla(binary: Path, folder: Path) -> None:
    """What FreeSWITCH came with, without its SIP profiles, whose ports may be in use."""
    prefix = binary.resolve().parent.parent
    found = next((prefix / name for name in VANILLA if (prefix / name / "vars.xml").exists()), None)
    if found is None:
        pytest.skip(f"FreeSWITCH's own configuration is not under {prefix}")
    shutil.copytree(found, folder / "conf")
    for profile in (folder / "conf" / "sip_profiles").glob("*.xml"):
        profile.unlink()
    first = free_row(100)
    switch = folder / "conf" / "autoload_configs" / "switch.conf.xml"
    ports = f'<param name="rtp-start-port" value="{first}"/><param name="rtp-end-port" value="{first + 99}"/>'
    switch.write_text(switch.read_text().replace("<settings>", f"<settings>{ports}"))


@pytest.mark.switch
def test_the_guide_leads_to_a_rated_call(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    try:
        binary = find_freeswitch(os.environ)
        find_sipp(os.environ)
    except (NoFreeSwitch, NoSipp) as missing:
        pytest.skip(str(missing))
    vanilla(binary, tmp_path)
    for name in FOLDERS:
        (tmp_path / name).mkdir(exist_ok=True)
    options = " ".join(f"-{name} {tmp_path / name}" for name in ("conf", *FOLDERS))
    start = f"{binary} -nonat -nonatmap -nc -nf -np -nocal {options} > {tmp_path}/console 2>&1"
    (tmp_path / "restart").write_text(f"{start} & echo $! > {tmp_path}/pid\n")
    given = SETTINGS.format(
        folder=tmp_path, customer=free_port(), carrier=free_port(), far_end=free_port(),
        url=postgres.ensure_database("install_guide"),
    )  # fmt: skip
    own = OWN_PORTS.format(event=free_port(), admission=free_port(), web=free_port())
    third, fourth, *rest = blocks()[2:]
    (tmp_path / "empty").mkdir()
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(binary.parent), os.environ["PATH"]])
    }
    try:
        followed = subprocess.run(
            ["bash", "-c", "".join([given, third, fourth, own, *rest, END])],
            cwd=tmp_path / "empty", env=environment, capture_output=True, text=True, check=False,
            timeout=FOLLOWED_S,
        )  # fmt: skip
    finally:
        if (tmp_path / "pid").exists():
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    said = followed.stdout + followed.stderr
    assert followed.returncode == 0, said
    assert re.search(r" 442079460000 .* 0\.0013", followed.stdout), said
    assert "24.9987" in followed.stdout
    assert not re.search(r"^bad", followed.stdout, re.M)
    with psycopg.connect(postgres.url("install_guide")) as conn:
        assert conn.execute("SELECT count(*) FROM cdrs WHERE refused IS NULL").fetchone() == (1,)


def test_what_the_guide_says_of_the_call_is_what_it_costs() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert "are 0.0013, and the account has 24.9987 left" in text
