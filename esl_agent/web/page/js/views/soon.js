// Who is about to be cut: calls whose money ends within minutes.

import { leftUs, moodOf } from "../calls.js";
import { el, list, setAttribute, setHidden, setText } from "../dom.js";
import { costOf } from "../money.js";
import { panel } from "./panel.js";

const SHOWN_MAX = 6;

export class Soon {
  constructor(words) {
    this._words = words;
    this._list = el("ol", { class: "entries" });
    this._rest = el("p", { class: "muted" });
    this._panel = panel("soon", words.t("soon"), words.t("soon_aside"), this._list, this._rest);
    setText(this._panel.empty, words.t("soon_none"));
  }

  draw(soon, nowUs) {
    const shown = soon.slice(0, SHOWN_MAX);
    setHidden(this._panel.empty, soon.length > 0);
    setHidden(this._list, !soon.length);
    list(this._list, shown.map((call) => ({ call, nowUs })), ({ call }) => call.legUuid, () => this._entry());
    setHidden(this._rest, soon.length <= SHOWN_MAX);
    setText(this._rest, this._words.t("soon_rest", { n: soon.length - SHOWN_MAX }));
  }

  _entry() {
    const { t, format } = this._words;
    const left = el("span", { class: "left" });
    const account = el("a");
    const to = el("span", { class: "mono" });
    const cost = el("span", { class: "number" });
    const why = el("span", { class: "why" });
    const node = el("li", {}, left, el("span", {}, account, " ", to), cost, why);
    return {
      node,
      update: ({ call, nowUs }) => {
        setAttribute(node, "data-mood", moodOf(call, nowUs));
        setText(left, format.duration(leftUs(call, nowUs) / 1_000_000));
        setAttribute(account, "href", `#/account/${call.account}`);
        setText(account, String(call.account));
        setText(to, t("to", { number: call.to }));
        setText(cost, format.money(costOf(call, nowUs), call.currency));
        setText(why, `${t(call.isLow ? "soon_last" : "soon_maybe")} · ${call.destination || this._words.country(call.country)}`);
      },
    };
  }
}
