// What is refused, and why: by reason, and the last ones.

import { el, list, setHidden, setText } from "../dom.js";
import { MINUTE_US, sumSince } from "../minutes.js";
import { prose } from "../words.js";
import { panel } from "./panel.js";

const REASONS_MAX = 5;
const LAST_MAX = 5;

export class Refusals {
  constructor(words) {
    this._words = words;
    this._reasons = el("ol", { class: "reasons" });
    this._lastTitle = el("h3", {}, words.t("refusals_last"));
    this._last = el("ol", { class: "lines" });
    this._panel = panel(
      "refusals", words.t("refusals"), words.t("refusals_aside"), this._reasons, this._lastTitle, this._last,
    );
    setText(this._panel.empty, words.t("refusals_none"));
  }

  draw(store, nowUs) {
    const { reasons } = sumSince(store.tables.minutes.values(), nowUs - 15 * MINUTE_US);
    const counted = [...reasons].sort(([, one], [, other]) => other - one).slice(0, REASONS_MAX);
    setHidden(this._panel.empty, counted.length > 0);
    list(this._reasons, counted, ([reason]) => this._words.keyOf(reason), ([reason]) => this._reason(reason));
    const last = [...store.tables.refusals.values()].slice(-LAST_MAX).reverse();
    setHidden(this._lastTitle, !last.length);
    list(this._last, last, (refused) => refused.number, (refused) => this._line(refused));
  }

  _reason(reason) {
    const { name, meaning, action } = this._words.reason(reason);
    const count = el("span", { class: "count" });
    const node = el(
      "li", {}, count, el("span", {}, el("strong", {}, name), " ", el("code", { class: "muted", lang: "en" }, reason)),
      el("span", { class: "why" }, ...prose(`${meaning} ${action}`)),
    );
    return { node, update: ([, n]) => setText(count, this._words.format.number(n)) };
  }

  _line(refused) {
    const { format } = this._words;
    const account = refused.account && refused.account !== "0";
    const node = el(
      "li", {},
      el("time", { class: "muted", datetime: new Date(refused.atUs / 1_000).toISOString() }, format.clock(refused.atUs)),
      account ? el("a", { href: `#/account/${refused.account}` }, refused.account) : el("span", {}, "–"),
      el("span", { class: "mono" }, this._words.t("to", { number: refused.to })),
      el("span", { class: "nowrap" }, this._words.reason(refused.reason).name),
    );
    return { node, update: () => {} };
  }
}
