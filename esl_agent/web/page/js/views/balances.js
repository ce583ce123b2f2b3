// Accounts whose money is near its end.

import { el, list, setHidden, setText } from "../dom.js";
import { amountOf } from "../money.js";
import { panel } from "./panel.js";

export class Balances {
  constructor(words) {
    this._words = words;
    const heading = (name, kind) => el("th", { scope: "col", class: kind }, words.t(name));
    this._body = el("tbody");
    this._table = el(
      "table", { "aria-labelledby": "balances-title" },
      el("thead", {}, el("tr", {}, heading("col_account"), heading("available", "number"), heading("spent_today", "number"), heading("col_calls", "number"))),
      this._body,
    );
    this._panel = panel("balances", words.t("balances"), "", el("div", { class: "scroll" }, this._table));
  }

  draw(store) {
    const low = store.state && this._words.format.money(amountOf(store.state.lowBalance), "CAD", 2);
    setText(this._panel.note, low ? this._words.t("balances_aside", { amount: low }) : "");
    const balances = [...store.tables.balances.values()].sort(
      (one, other) => Number(!one.callsUp) - Number(!other.callsUp) || amountOf(one.available) - amountOf(other.available),
    );
    setHidden(this._panel.empty, balances.length > 0);
    setHidden(this._table, !balances.length);
    setText(this._panel.empty, low ? this._words.t("balances_none", { amount: low }) : "");
    list(this._body, balances, (balance) => balance.account, () => this._row());
  }

  _row() {
    const link = el("a");
    const name = el("span", { class: "muted" });
    const cells = Array.from({ length: 3 }, () => el("td", { class: "number" }));
    const node = el("tr", {}, el("th", { scope: "row" }, link, " ", name), ...cells);
    return {
      node,
      update: (balance) => {
        const { format } = this._words;
        link.setAttribute("href", `#/account/${balance.account}`);
        setText(link, balance.account);
        setText(name, balance.name);
        setText(cells[0], format.money(amountOf(balance.available), balance.currency));
        setText(cells[1], format.money(amountOf(balance.spentToday), balance.currency));
        setText(cells[2], format.number(balance.callsUp));
      },
    };
  }
}
