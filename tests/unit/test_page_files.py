"""The live page's own files: what they say is whole in each language, and agrees with what is sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from esl_agent.core.admission.reasons import Reason
from esl_agent.core.call_state import Phase
from esl_agent.noc.words import WORDS
from esl_agent.store.accounts import State
from esl_agent.web.live import rows

PAGE = Path(rows.__file__).parents[1] / "page"
SCRIPTS = {path.relative_to(PAGE).as_posix(): path.read_text() for path in PAGE.rglob("*.js")}
LANGUAGES = {name: SCRIPTS[f"js/lang/{name}.js"] for name in ("en", "fr")}
TABLES = {
    "state": rows.StateRow,
    "alerts": rows.AlertRow,
    "refusals": rows.RefusalRow,
    "balances": rows.BalanceRow,
    "minutes": rows.MinuteRow,
    "calls": rows.CallRow,
}


def section_of(language: str, section: str) -> dict[str, str]:
    """The lines of a section of a catalogue, by name."""
    match = re.search(rf"^  {section}: \{{(.*?)^  \}},$", LANGUAGES[language], re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"^    (\w+): (.*)$", match[1], re.MULTILINE)) if match else {}


def keys_of(language: str, section: str) -> set[str]:
    return set(section_of(language, section))


@pytest.mark.parametrize("table", TABLES)
def test_the_page_knows_the_columns_of_each_table_in_their_order(table: str) -> None:
    (names,) = re.findall(rf"^  {table}: \[(.*?)\]", SCRIPTS["js/rows.js"], re.MULTILINE | re.DOTALL)
    assert re.findall(r'"(\w+)"', names) == list(TABLES[table].__struct_fields__)


def test_both_languages_have_the_same_texts_with_the_same_values_in_them() -> None:
    assert keys_of("en", "texts") == keys_of("fr", "texts")
    english, french = (section_of(name, "texts") for name in ("en", "fr"))
    for key, line in english.items():
        assert values_in(line) == values_in(french[key]), key


def values_in(line: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", line))


def test_every_text_that_is_asked_for_is_there_and_no_other() -> None:
    asked = set(re.findall(r'data-(?:t|placeholder)="(\w+)"', (PAGE / "index.html").read_text()))
    for name, script in SCRIPTS.items():
        if "/lang/" not in name:
            asked |= set(re.findall(r'"(\w+)"', script)) & keys_of("en", "texts")
            asked |= set(re.findall(r'\bt\("(\w+)"', script))
    asked |= {f"phase_{phase}" for phase in Phase if phase is not Phase.ENDED}
    asked |= {f"state_{state}" for state in State}
    asked |= {f"level_{level}" for level in ("warning", "error")}
    asked |= {f"col_{name}" for name in re.findall(r"^  (\w+): \{ by:", SCRIPTS["js/views/calls.js"], re.M)}
    asked |= {f"figure_{name}" for name in ("up", "soon", "refused", "cut", "spend")}
    assert asked == keys_of("en", "texts")


def test_every_alert_and_every_reason_is_explained_in_french() -> None:
    loud = {word for word, entry in WORDS.items() if entry.level in ("warning", "error")}
    assert loud - keys_of("fr", "words") <= {"CALL_REFUSED"}
    assert set(Reason) - keys_of("fr", "reasons") == set(Reason) - keys_of("fr", "reasonNames") == set()


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_reads_markup_or_makes_code_of_text(name: str) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.style\b",
        SCRIPTS[name],
    )


def test_the_page_has_no_code_or_style_of_its_own_and_nothing_from_elsewhere() -> None:
    markup = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", markup)
    for text in (markup, (PAGE / "style.css").read_text(), *SCRIPTS.values()):
        assert set(re.findall(r"https?://[^\s\"')]+", text)) <= {"http://www.w3.org/2000/svg"}
