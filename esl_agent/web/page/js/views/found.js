// What was searched for: an account, or calls from and to a number, live and past.

import { matches } from "../calls.js";
import { el, setText } from "../dom.js";
import { Calls } from "./calls.js";
import { Cdrs } from "./cdrs.js";

const ACCOUNT = /^[1-9]\d{0,17}$/;
const NUMBER_DIGITS_MIN = 7;

export class Found {
  constructor(words, session, query) {
    this._query = query.replace(/[\s().+-]/g, "");
    const { t } = words;
    const [account, live, past] = [el("p"), el("section", { class: "panel", "aria-labelledby": "found-calls" }), el("section", { class: "panel", "aria-labelledby": "found-cdrs" })];
    document.getElementById("found").replaceChildren(
      el("a", { class: "back", href: "#/" }, "← ", t("back")),
      el("div", { class: "title" }, el("h1", { tabindex: "-1" }, t("found", { query }))), account, live, past,
    );
    if (ACCOUNT.test(this._query)) account.append(el("a", { href: `#/account/${this._query}` }, t("found_account", { id: this._query })));
    else setText(account, t("found_nothing"));
    this._calls = new Calls(words, live, { id: "found-calls", title: t("calls"), none: "calls_none_found" });
    past.hidden = this._query.length < NUMBER_DIGITS_MIN;
    if (!past.hidden) {
      new Cdrs(words, session, past, { id: "found-cdrs", title: t("cdrs_found"), none: "cdrs_none_found", which: { number: this._query } }).load();
    }
  }

  draw(store, nowUs) {
    this._calls.draw([...store.tables.calls.values()].filter((call) => matches(call, this._query)), nowUs);
  }

  close() {}
}
