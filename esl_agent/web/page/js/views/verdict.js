// The first thing to know: is anything broken, since when, and what is to be done about it?

import { clear, el, list, setAttribute, setHidden, setText } from "../dom.js";
import { prose } from "../words.js";
import { fieldTexts, stands } from "./alerts.js";

const RECENT_US = 1_800_000_000;
const GLYPHS = { good: "✓", warn: "!", bad: "✕", wait: "…" };

export class Verdict {
  constructor(words) {
    this._words = words;
    this._root = document.getElementById("verdict");
    this._headline = document.getElementById("headline");
    this._states = document.getElementById("states");
    this._problems = document.getElementById("problems");
    clear(this._states);
    clear(this._problems); // they speak the language of who made them
  }

  /** `line` is how the feed does: up, lost, denied, full or none yet; `lostAtMs` since when it is not up. */
  draw(store, line, lostAtMs) {
    const standing = [...store.tables.alerts.values()]
      .filter(stands)
      .sort((one, other) => (one.level === other.level ? other.firstUs - one.firstUs : one.level === "error" ? -1 : 1));
    const [mood, text] = this._judge(store, line, lostAtMs, standing);
    setAttribute(this._root, "data-mood", mood);
    setText(this._headline.querySelector(".glyph"), GLYPHS[mood]);
    setText(this._headline.querySelector(".text"), text);
    setHidden(this._problems, !standing.length);
    list(this._problems, standing, (alert) => this._words.keyOf(alert.key), () => this._problem());
    list(this._states, this._stateList(store.state), (state) => state.name, () => oneState());
  }

  _judge(store, line, lostAtMs, standing) {
    const { t, format } = this._words;
    if (line === "denied" || line === "full") return ["warn", t(line)];
    if (line === "lost") return ["bad", t("lost", { time: format.clock(lostAtMs * 1_000) })];
    if (!store.isReady) return ["wait", t("waiting")];
    const { isSwitchUp, isDatabaseUp, journalHasRoom } = store.state;
    const down = [!isSwitchUp && "state_switch", !isDatabaseUp && "state_database", !journalHasRoom && "state_journal"];
    const names = down.filter(Boolean).map((name) => t(name));
    if (names.length) return ["bad", t("are_down", { names: format.list(names) })];
    const broken = standing.filter((alert) => alert.level === "error").length;
    if (broken) return ["bad", t("broken", { n: broken })];
    if (!store.state.mayAct) return ["warn", t("standby")];
    if (standing.length) return ["warn", t("warned", { n: standing.length })];
    const recent = [...store.tables.alerts.values()].filter(
      (alert) => alert.level === "error" && !alert.stands && store.nowUs() - alert.lastUs < RECENT_US,
    );
    return recent.length ? ["warn", t("look", { n: recent.length })] : ["good", t("all_well")];
  }

  _stateList(state) {
    if (!state) return [];
    const { t } = this._words;
    const part = (name, mood, text) => ({ name, mood, line: t("state_line", { label: t(name), text }) });
    const upOrDown = (name, isUp) => part(name, isUp ? "good" : "bad", t(isUp ? "up" : "down"));
    const waiting = state.unsettled ? t("journal_waiting", { n: state.unsettled }) : t("journal_empty");
    const journal = state.journalHasRoom
      ? [state.isDatabaseUp ? "good" : "warn", waiting]
      : ["bad", `${t("journal_full")}, ${waiting}`];
    return [
      upOrDown("state_switch", state.isSwitchUp),
      upOrDown("state_database", state.isDatabaseUp),
      part("state_journal", ...journal),
      part("state_agent", state.mayAct ? "good" : "warn", t(state.mayAct ? "active" : "in_standby")),
    ];
  }

  _problem() {
    const what = el("p", { class: "what" });
    const doing = el("p", { class: "do" });
    const facts = el("p", { class: "facts" });
    let drawn = null;
    return {
      node: el("li", {}, what, doing, facts),
      update: (alert) => {
        if (drawn === alert) return;
        drawn = alert;
        const { meaning, action } = this._words.word(alert.word);
        what.replaceChildren(...prose(meaning));
        doing.replaceChildren(...prose(action));
        const since = this._words.t("since", { time: this._words.format.clock(alert.firstUs) });
        facts.replaceChildren(
          el("code", {}, alert.word), el("span", {}, since), ...fieldTexts(alert.fields).map((text) => el("span", { class: "mono" }, text)),
        );
      },
    };
  }
}

function oneState() {
  const glyph = el("span", { class: "glyph", "aria-hidden": "true" });
  const text = el("span");
  const node = el("li", {}, glyph, text);
  return {
    node,
    update: (state) => {
      setAttribute(node, "data-mood", state.mood);
      setText(glyph, GLYPHS[state.mood]);
      setText(text, state.line);
    },
  };
}
