"""What dialplan/ ships is well-formed, hangs together, and has no way for a payer but the one meant."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from fixtures.admission import UUIDS, a_carrier, a_question, some_facts

from esl_agent.config import VariablesConfig
from esl_agent.core.admission.decide import decide
from esl_agent.core.admission.dial import PlannedLeg, dial_strings
from esl_agent.core.admission.variables import ROUTES
from esl_agent.core.leg import Product
from esl_agent.files import dialplan_dir
from esl_agent.switch.embedded import ASKED_BY, NO_ANSWER

FILES = sorted(dialplan_dir().rglob("*.xml"))
CONTEXTS = {context.get("name") for context in Xml.parse(dialplan_dir() / "esl_agent.xml").iter("context")}


#: Where a phone sent a call on to, by a 302.
REDIRECTED_TO = "sip_redirect_contact_user_0"


def names(path: Path) -> str:
    return str(path.relative_to(dialplan_dir()))


def actions(path: Path) -> list[tuple[str, str]]:
    return [
        (action.get("application", ""), action.get("data", ""))
        for kind in ("action", "anti-action")
        for action in Xml.parse(path).iter(kind)
    ]


@pytest.mark.parametrize("path", FILES, ids=names)
def test_it_is_well_formed(path: Path) -> None:
    Xml.parse(path)


@pytest.mark.parametrize("path", FILES, ids=names)
def test_the_switchs_preprocessor_reads_it_as_xml_parsers_do(path: Path) -> None:
    """It reads a line at a time, and takes a command out of a comment too (switch_xml.c, `preprocess`)."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if "X-PRE-PROCESS" in line:
            assert re.fullmatch(r'\s*<X-PRE-PROCESS cmd="\w[\w-]*" data="[^"]+"/>', line)


def test_each_file_that_is_included_is_there() -> None:
    main = dialplan_dir() / "esl_agent.xml"
    included = [command.get("data", "") for command in Xml.parse(main).iter("X-PRE-PROCESS")]

    assert included
    assert [name for name in included if not (dialplan_dir() / name).is_file()] == []


def test_emergency_numbers_come_first_wherever_a_phone_dials() -> None:
    for context in Xml.parse(dialplan_dir() / "esl_agent.xml").iter("context"):
        if context.get("name") in ("esl_customer", "esl_transfer"):
            included = [command.get("data") for command in context]
            assert included[:2] == ["esl_agent/caller_id.xml", "esl_agent/emergency.xml"]


def test_every_global_variable_has_a_value() -> None:
    known = {
        command.get("data", "").split("=")[0]
        for command in Xml.parse(dialplan_dir() / "config" / "vars.xml").iter("X-PRE-PROCESS")
    }
    of_freeswitch = {"local_ip_v4", "domain", "log_dir", "sounds_dir", "recordings_dir"}
    used = {name for path in FILES for name in re.findall(r"\$\$\{(\w+)\}", path.read_text(encoding="utf-8"))}

    assert used - of_freeswitch <= known


@pytest.mark.parametrize("path", FILES, ids=names)
def test_it_goes_on_in_contexts_that_there_are(path: Path) -> None:
    for application, data in actions(path):
        if application == "execute_extension" or " XML " in data:
            assert data.rstrip("}").split()[-1] in CONTEXTS


def test_nothing_dialled_leads_to_where_a_caller_is_told_that_the_money_has_ended() -> None:
    context = "esl_money_ended"
    assert context in CONTEXTS
    for path in FILES:
        assert not [data for _, data in actions(path) if context in data]
        assert context not in [param.get("value") for param in Xml.parse(path).iter("param")]
    ended = {application for application, _ in actions(dialplan_dir() / "esl_agent" / "money_ended.xml")}
    assert ended == {"unbind_meta_app", "playback", "hangup"}


@pytest.mark.parametrize("path", FILES, ids=names)
def test_nothing_is_exported(path: Path) -> None:
    """An export rides along with a transfer: the next leg would have the last one's payer."""
    assert not [application for application, _ in actions(path) if "export" in application]


@pytest.mark.parametrize("path", FILES, ids=names)
def test_no_redirect_is_followed_on_any_leg_that_goes_out(path: Path) -> None:
    for application, data in actions(path):
        if "esl_leg={" in data:
            assert "outbound_redirect_fatal=true" in data
        if application == "bridge":
            assert data.startswith(("${esl_leg}", "{outbound_redirect_info=true}${esl_recorded}user/"))


def test_the_switch_follows_no_redirect_of_its_own_accord() -> None:
    """Without this, `outbound_redirect_info` would do nothing (sofia.c, `sofia_handle_sip_r_invite`)."""
    for name in ("sip_customer.xml", "sip_carrier.xml"):
        params = Xml.parse(dialplan_dir() / "config" / name).iter("param")
        assert "true" in [param.get("value") for param in params if param.get("name") == "manual-redirect"]


@pytest.mark.parametrize("path", FILES, ids=names)
def test_nothing_that_a_phone_names_is_read(path: Path) -> None:
    """A phone's headers and addresses become variables whose names begin with `sip_`.

    Its display name is text of its own choosing too, and has no place in a dial string.
    """
    read = set(re.findall(r"(?<!\$)\$\{(\w+)", path.read_text(encoding="utf-8")))

    assert {name for name in read if name.startswith("sip_")} <= {"sip_authorized", REDIRECTED_TO}
    assert not read & {"caller_id_name", "caller_id_number", "channel_name", "destination_number"}


def test_what_a_phone_redirects_to_is_digits_or_nothing() -> None:
    """Where it is read, it is the field of a condition, and goes on as what that matched."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        fields = re.findall(rf'field="\${{{REDIRECTED_TO}}}" expression="(.*)"', text)
        assert len(fields) == text.count(f"${{{REDIRECTED_TO}}}")
        assert set(fields) <= {r"^(\+?\d{3,20})\z"}


def test_whoever_asks_says_all_that_can_be_said() -> None:
    """A leg that asks again must not say what it said before."""
    asking = [data for path in FILES for _, data in actions(path) if "esl_ask_product" in data]

    assert len(asking) == len(Product)
    for data in asking:
        assert {pair.partition("=")[0] for pair in data.removeprefix("^^~").split("~")} == {
            *ASKED_BY.values()
        }


def test_until_it_is_answered_every_question_is_refused() -> None:
    [before] = [
        data for _, data in actions(dialplan_dir() / "esl_agent" / "ask.xml") if "esl_admitted" in data
    ]
    said = dict(pair.split("=") for pair in before.removeprefix("^^~").split("~"))

    assert said.items() <= NO_ANSWER.items()
    assert said.keys() == {name for name, value in NO_ANSWER.items() if value}


def test_the_dialplan_has_room_for_every_route() -> None:
    text = (dialplan_dir() / "esl_agent" / "routes.xml").read_text(encoding="utf-8")
    assert re.findall(r'data="\$\{esl_leg\}\$\{esl_recorded\}\$\{(\w+)\}"', text) == list(ROUTES)


def test_nothing_but_an_answer_that_says_so_leads_to_a_recording() -> None:
    """`esl_recorded` goes onto every leg that is made for a call; before each answer it is unset."""
    for path in FILES:
        starts = [data for application, data in actions(path) if application == "record_session"]
        assert starts == (["$${esl_recordings}/${uuid}.wav"] if path.name == "recording.xml" else [])
        if any("esl_recording" in data.split() for _, data in actions(path)):
            assert path.name in ("recorded.xml", "recording.xml")
    extensions = list(Xml.parse(dialplan_dir() / "esl_agent" / "recorded.xml").iter("extension"))
    first = extensions[0].find("condition/action")
    assert first is not None
    assert (first.get("application"), first.get("data"), first.get("inline")) == (
        "unset",
        "esl_recorded",
        "true",
    )
    for extension in extensions[1:]:
        fields = {condition.get("field") for condition in extension.iter("condition")}
        data = [action.get("data", "") for action in extension.iter("action")]
        if any(text.startswith("esl_recorded=") for text in data):
            assert fields & {"${esl_record}", "${esl_record_tell}"}


def test_an_emergency_call_is_never_recorded() -> None:
    for context in Xml.parse(dialplan_dir() / "esl_agent.xml").iter("context"):
        included = [command.get("data") for command in context]
        assert not {"esl_agent/emergency.xml", "esl_agent/recorded.xml"} <= set(included)
    text = "".join(data for _, data in actions(dialplan_dir() / "esl_agent" / "emergency.xml"))
    assert "esl_recorded" not in text
    assert "bgapi(uuid_record ${uuid} stop all)" in text


def test_the_agent_looks_for_the_variables_that_the_dialplan_sets() -> None:
    agent = VariablesConfig()
    forwarded = decide(a_question(Product.FORWARDING), some_facts(Product.FORWARDING))
    text = "".join(dial_strings(forwarded, [PlannedLeg(UUIDS[0], a_carrier())]))

    for name in (agent.account, agent.product, agent.number, agent.carrier, agent.forwarded_from):
        assert re.search(rf"[{{,\[\"]{name}=", text)
