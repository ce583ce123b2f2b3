// What went wrong lately.  What is wrong now stands at the top of the page (verdict.js).

import { el, list, setAttribute, setHidden, setText } from "../dom.js";
import { prose } from "../words.js";
import { panel } from "./panel.js";

const SHOWN_MAX = 5;
const MOODS = { error: "bad", warning: "warn" };

/** Whether what the alert says still holds. */
export const stands = (alert) => alert.stands && alert.endedUs === null;

export class Alerts {
  constructor(words) {
    this._words = words;
    this._isOpen = false;
    this._list = el("ol", { class: "entries" });
    this._more = el("button", { type: "button", class: "quiet", "aria-expanded": "false", click: () => this._toggle() });
    this._panel = panel("alerts", words.t("alerts"), words.t("alerts_aside"), this._list, this._more);
  }

  draw(store) {
    const all = [...store.tables.alerts.values()];
    const alerts = all.filter((alert) => !stands(alert)).sort((one, other) => other.lastUs - one.lastUs);
    setText(this._panel.empty, this._words.t(all.length ? "alerts_none_else" : "alerts_none"));
    setHidden(this._panel.empty, alerts.length > 0);
    setHidden(this._list, !alerts.length);
    const shown = this._isOpen ? alerts : alerts.slice(0, SHOWN_MAX);
    list(this._list, shown, (alert) => this._words.keyOf(alert.key), () => this._entry());
    setHidden(this._more, alerts.length <= SHOWN_MAX);
    setText(this._more, this._words.t(this._isOpen ? "show_fewer" : "show_all", { n: alerts.length }));
    this._drawn = store;
  }

  _toggle() {
    this._isOpen = !this._isOpen;
    setAttribute(this._more, "aria-expanded", String(this._isOpen));
    this.draw(this._drawn);
  }

  _entry() {
    const level = el("span", { class: "level" });
    const meaning = el("span");
    const facts = el("p", { class: "facts" });
    const doing = el("p", { class: "do" });
    const node = el("li", {}, el("p", { class: "what" }, level, meaning), doing, facts);
    let drawn = null;
    return {
      node,
      update: (alert) => {
        if (drawn === alert) return;
        drawn = alert;
        const explained = this._words.word(alert.word);
        setAttribute(node, "data-mood", MOODS[alert.level]);
        setText(level, this._words.t(`level_${alert.level}`));
        meaning.replaceChildren(...prose(explained.meaning));
        doing.replaceChildren(...prose(alert.endedUs === null ? explained.action : ""));
        facts.replaceChildren(el("code", {}, alert.word), ...this._facts(alert));
      },
    };
  }

  _facts(alert) {
    const { t, format } = this._words;
    const texts = [alert.count > 1 ? t("last", { time: format.clock(alert.lastUs) }) : format.clock(alert.lastUs)];
    if (alert.count > 1) texts.push(t("times", { n: alert.count }));
    if (alert.endedUs !== null) texts.push(t("ended", { time: format.clock(alert.endedUs) }));
    const fields = fieldTexts(alert.fields).map((text) => el("span", { class: "mono" }, text));
    return [...texts.map((text) => el("span", {}, text)), ...fields];
  }
}

/** The fields of a line of the log, as it has them. */
export function fieldTexts(fields) {
  return Object.entries(fields).map(([name, value]) => `${name}=${value}`);
}
