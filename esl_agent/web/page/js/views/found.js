// What was searched for: an account, or calls from and to a number, live and past.

import { matches } from "../calls.js";
import { el, setText } from "../dom.js";
import { Calls } from "./calls.js";
import { Cdrs } from "./cdrs.js";

const ACCOUNTS_MAX = 20;
const NUMBER = /^\d{7,15}$/;

export class Found {
  constructor(words, session, query) {
    const digits = query.replace(/[\s().+-]/g, "");
    this._query = /^\d+$/.test(digits) ? digits : query;
    const { t } = words;
    this._accounts = el("p", { role: "status" });
    const [live, past] = [el("section", { class: "panel", "aria-labelledby": "found-calls" }), el("section", { class: "panel", "aria-labelledby": "found-cdrs" })];
    document.getElementById("found").replaceChildren(
      el("a", { class: "back", href: "#/" }, "← ", t("back")),
      el("div", { class: "title" }, el("h1", { tabindex: "-1" }, t("found", { query }))), this._accounts, live, past,
    );
    this._findAccounts(words, session);
    this._calls = new Calls(words, live, { id: "found-calls", title: t("calls"), none: "calls_none_found" });
    past.hidden = !NUMBER.test(this._query);
    if (!past.hidden) {
      new Cdrs(words, session, past, { id: "found-cdrs", title: t("cdrs_found"), none: "cdrs_none_found", which: { number: this._query } }).load();
    }
  }

  draw(store, nowUs) {
    this._calls.draw([...store.tables.calls.values()].filter((call) => matches(call, this._query)), nowUs);
  }

  async _findAccounts(words, session) {
    try {
      const { accounts } = await session.get("api/v1/accounts", { search: this._query, limit: ACCOUNTS_MAX });
      const link = ({ account_id: id, name }) => el("a", { href: `#/account/${id}` }, words.t("account", { id: String(id) }), name ? ` ${name}` : "");
      const links = accounts.flatMap((account) => [link(account), " · "]).slice(0, -1);
      this._accounts.replaceChildren(...(links.length ? links : [words.t("found_no_account")]));
    } catch (error) {
      setText(this._accounts, words.t("account_failed", { why: error.why?.(words) ?? String(error) }));
    }
  }

  close() {}
}
