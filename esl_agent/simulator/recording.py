"""Recordings of departments' calls, as the shipped dialplan has them; no sound is written.

dialplan/esl_agent/recorded.xml and recording.xml; src/switch_ivr_async.c, `record_callback`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from esl_agent.simulator.script import Field

if TYPE_CHECKING:
    from esl_agent.simulator.core import Core
    from esl_agent.simulator.leg import Leg

FOLDER: Final = "/var/lib/freeswitch/recordings/esl_agent"
NOTICE: Final = "recording_notice.wav"


def mark(core: Core, caller: Leg, leg: Leg) -> None:
    """A leg is made for the caller: it is to be recorded, if the answer that he got says so."""
    variables = caller.variables
    department, tell = variables.get("esl_record"), variables.get("esl_record_tell")
    if not department or not tell:
        return
    leg.set_variable("esl_recorded_for", department)
    leg.set_variable("esl_recorded_account", variables.get("esl_record_account"))
    leg.set_variable("esl_recorded_tell", tell)
    leg.set_variable("esl_recorded_caller", caller.uuid)
    if tell in ("caller", "both") and variables.get("esl_record_told") != department:
        caller.heard.append(NOTICE)
        caller.set_variable("esl_record_told", department)
    if tell == "caller":
        leg.set_variable("esl_recorded_told", str(core.stamp()))


def begin(core: Core, leg: Leg) -> None:
    """A leg was answered."""
    if "esl_recorded_for" not in leg.variables:
        return
    if leg.variables["esl_recorded_tell"] != "caller":
        leg.heard.append(NOTICE)
        leg.set_variable("esl_recorded_told", str(core.stamp()))
    if not core.config.records:
        return
    leg.recorded_us = core.stamp()
    for each in (leg, leg.other):
        if each is not None:
            each.set_variable("esl_recording", f"{leg.uuid}.wav")
            each.set_variable("esl_recording_at", str(leg.recorded_us))
    core.fire("RECORD_START", leg, after=lambda: _path(leg))


def stop(core: Core, leg: Leg) -> None:
    """A leg goes down."""
    if leg.recorded_us:
        leg.set_variable("record_ms", str((core.stamp() - leg.recorded_us) // 1_000))
        core.fire("RECORD_STOP", leg, after=lambda: _path(leg))


def _path(leg: Leg) -> list[Field]:
    return [Field("Record-File-Path", f"{FOLDER}/{leg.uuid}.wav")]
