// Who is about to be cut: calls whose money ends within minutes.

import { leftUs, moodOf } from "../calls.js";
import { el, list, setAttribute, setHidden, setText } from "../dom.js";
import { costOf } from "../money.js";
import { panel } from "./panel.js";

const SHOWN_MAX = 6;

/** The calls of each account together, in the order of their first ones. */
function byAccount(soon) {
  const accounts = new Map();
  for (const call of soon) {
    const calls = accounts.get(call.account);
    if (calls) calls.push(call);
    else accounts.set(call.account, [call]);
  }
  return [...accounts.values()];
}

export class Soon {
  constructor(words) {
    this._words = words;
    this._list = el("ol", { class: "entries" });
    this._rest = el("p", { class: "muted" });
    this._panel = panel("soon", words.t("soon"), words.t("soon_aside"), this._list, this._rest);
    setText(this._panel.empty, words.t("soon_none"));
  }

  draw(soon, nowUs) {
    const shown = byAccount(soon).slice(0, SHOWN_MAX);
    const rest = soon.length - shown.reduce((sum, calls) => sum + calls.length, 0);
    setHidden(this._panel.empty, soon.length > 0);
    setHidden(this._list, !soon.length);
    list(this._list, shown.map((calls) => ({ calls, nowUs })), ({ calls }) => calls[0].account, () => this._entry());
    setHidden(this._rest, !rest);
    setText(this._rest, this._words.t("soon_rest", { n: rest }));
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
      update: ({ calls, nowUs }) => {
        const [call] = calls;
        const spent = calls.reduce((sum, each) => sum + costOf(each, nowUs), 0);
        setAttribute(node, "data-mood", moodOf(call, nowUs));
        setText(left, format.duration(leftUs(call, nowUs) / 1_000_000));
        setAttribute(account, "href", `#/account/${call.account}`);
        setText(account, call.account);
        setText(to, t("to", { number: call.to }));
        setText(cost, format.money(spent, call.currency));
        const more = calls.length > 1 ? t("soon_calls", { n: calls.length }) : call.destination || this._words.country(call.country);
        setText(why, `${t(call.isLow ? "soon_last" : "soon_maybe")} · ${more}`);
      },
    };
  }
}
