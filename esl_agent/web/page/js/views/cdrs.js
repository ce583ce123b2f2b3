// Calls that are over, a page at a time, the latest first.

import { el, setHidden, setText } from "../dom.js";
import { amountOf } from "../money.js";

const PAGE_ROWS = 25;

export class Cdrs {
  /** `which` says whose: parameters of the API. */
  constructor(words, session, root, { id, title, none, which }) {
    this._words = words;
    this._session = session;
    this._which = which;
    this._none = none;
    this._next = null;
    const { t } = words;
    const heading = (name, kind) => el("th", { scope: "col", class: kind }, t(name));
    this._body = el("tbody");
    this._scroll = el(
      "div", { class: "scroll" },
      el(
        "table", { "aria-labelledby": id },
        el(
          "thead", {},
          el(
            "tr", {}, heading("col_began"), heading("col_account"), heading("col_caller"), heading("col_to"),
            heading("col_result"), heading("col_carrier"), heading("col_talked", "number"), heading("col_billed", "number"),
            heading("col_charged", "number"),
          ),
        ),
        this._body,
      ),
    );
    this._note = el("p", { class: "empty", role: "status" }, t("loading"));
    this._older = el("button", { type: "button", class: "more", click: () => this.load() }, t("older"));
    setHidden(this._older, true);
    setHidden(this._scroll, true);
    root.replaceChildren(el("div", { class: "head" }, el("h2", { id }, title)), this._scroll, this._note, this._older);
  }

  /** The next page; where it can't be had the reason stands there instead. */
  async load() {
    const { t } = this._words;
    this._older.disabled = true;
    try {
      const cursor = this._next ? { cursor: this._next } : {};
      const page = await this._session.get("api/v1/cdrs", { ...this._which, limit: PAGE_ROWS, ...cursor });
      this._body.append(...page.cdrs.map((cdr) => this._row(cdr)));
      this._next = page.next_cursor;
      setText(this._note, this._body.children.length ? "" : t(this._none));
    } catch (error) {
      setText(this._note, t("cdrs_failed", { why: error.why?.(this._words) ?? String(error) }));
    }
    setHidden(this._scroll, !this._body.children.length);
    setHidden(this._older, !this._next);
    this._older.disabled = false;
  }

  _row(cdr) {
    const { format } = this._words;
    const begun = Date.parse(cdr.created_at);
    const number = (text) => el("td", { class: "number" }, text);
    return el(
      "tr", {},
      el("th", { scope: "row", class: "nowrap" }, el("time", { datetime: cdr.created_at }, format.moment(begun * 1_000))),
      el("td", {}, cdr.account_id ? el("a", { href: `#/account/${cdr.account_id}` }, String(cdr.account_id)) : "–"),
      el("td", { class: "mono" }, cdr.caller),
      el("td", {}, el("span", { class: "mono" }, cdr.number || cdr.dialled), " ", el("span", { class: "muted" }, cdr.destination || this._words.country(cdr.country))),
      el("td", {}, this._result(cdr)), el("td", {}, cdr.carrier ?? ""),
      number(cdr.answered_at ? format.duration(Number(cdr.duration_s)) : ""), number(cdr.answered_at ? `${format.number(cdr.billed_seconds)} s` : ""),
      number(format.money(amountOf(cdr.charged), cdr.currency)),
    );
  }

  _result(cdr) {
    const { t } = this._words;
    if (cdr.refused) return t("result_refused", { reason: this._words.reason(cdr.refused).name });
    return t(cdr.answered_at ? "result_answered" : "result_unanswered");
  }
}
