// A handful of figures, large.

import { countCalls, leftUs } from "../calls.js";
import { el, setAttribute, setText } from "../dom.js";
import { MINUTE_US, moneyText, sumSince } from "../minutes.js";

const NAMES = ["up", "soon", "refused", "cut", "spend"];

export class Figures {
  constructor(words) {
    this._words = words;
    this._parts = Object.fromEntries(NAMES.map((name) => [name, figure(words.t(`figure_${name}`))]));
    document.getElementById("figures").replaceChildren(...Object.values(this._parts).map((part) => part.node));
  }

  draw(store, soon, nowUs) {
    const { t, format } = this._words;
    const calls = store.tables.calls;
    const { talking, cost } = countCalls(calls.values(), nowUs);
    const quarter = sumSince(store.tables.minutes.values(), nowUs - 15 * MINUTE_US);
    const hour = sumSince(store.tables.minutes.values(), nowUs - 60 * MINUTE_US);
    this._show("up", format.number(calls.size), t("figure_up_more", { talking, ringing: calls.size - talking }));
    const first = soon.length ? format.duration(leftUs(soon[0], nowUs) / 1_000_000) : "";
    this._show("soon", format.number(soon.length), soon.length ? t("figure_soon_more", { time: first }) : t("figure_soon_none"));
    setAttribute(this._parts.soon.node, "data-mood", soon.length ? "warn" : null);
    this._show("refused", format.number(quarter.refused), t("figure_refused_none", { n: quarter.refused + quarter.admitted }));
    this._show("cut", format.number(quarter.cut), t("figure_cut_more"));
    const home = hour.spend.keys().next().value ?? cost.keys().next().value ?? "CAD";
    const spent = moneyText(hour.spend, format, 2) || format.money(0, home, 2);
    this._show("spend", spent, t("figure_spend_more", { amount: moneyText(cost, format, 2) || format.money(0, home, 2) }));
  }

  _show(name, value, more) {
    setText(this._parts[name].value, value);
    setText(this._parts[name].more, more);
  }
}

function figure(label) {
  const value = el("dd", {}, "–");
  const more = el("dd", { class: "more" });
  return { node: el("div", {}, el("dt", {}, label), value, more), value, more };
}
