// An account: its money, its calls that are up, and its last calls.

import { el, setAttribute, setText } from "../dom.js";
import { amountOf } from "../money.js";
import { Calls } from "./calls.js";
import { Cdrs } from "./cdrs.js";

const MOODS = { active: "good", pending: "warn", suspended: "bad", closed: "bad" };
const FIGURES = ["available", "balance", "reserved", "credit_limit"];
const AGAIN_MS = 5_000;

export class Account {
  constructor(words, session, id) {
    this._words = words;
    this._session = session;
    this._id = id;
    const { t } = words;
    this._name = el("span");
    this._chip = el("span", { class: "chip", hidden: true });
    this._note = el("p", { class: "muted", role: "status" }, t("loading"));
    this._figures = el("dl", { class: "figures", hidden: true });
    const [live, past] = [el("section", { class: "panel", "aria-labelledby": "account-calls" }), el("section", { class: "panel", "aria-labelledby": "account-cdrs" })];
    this._root = document.getElementById("account");
    this._root.replaceChildren(
      el("a", { class: "back", href: "#/" }, "← ", t("back")),
      el("div", { class: "title" }, el("h1", { tabindex: "-1" }, t("account", { id }), " ", this._name), this._chip),
      this._note, this._figures, live, past,
    );
    this._calls = new Calls(words, live, { id: "account-calls", title: t("account_calls") });
    this._cdrs = new Cdrs(words, session, past, { id: "account-cdrs", title: t("cdrs"), none: "cdrs_none", which: { account_id: id } });
    this._cdrs.load();
    this._load();
    this._timer = setInterval(() => this._load(), AGAIN_MS);
  }

  draw(store, nowUs) {
    this._calls.draw([...store.tables.calls.values()].filter((call) => call.account === this._id), nowUs);
  }

  close() {
    clearInterval(this._timer);
  }

  async _load() {
    const { t } = this._words;
    try {
      this._show(await this._session.get(`api/v1/accounts/${this._id}`));
    } catch (error) {
      const isMissing = error.status === 404;
      setText(this._note, isMissing ? t("account_missing", { id: this._id }) : t("account_failed", { why: error.why?.(this._words) ?? String(error) }));
    }
  }

  _show(account) {
    const { t, format } = this._words;
    setText(this._name, account.name ?? "");
    setText(this._chip, t(`state_${account.state}`));
    setAttribute(this._chip, "data-mood", MOODS[account.state] ?? null);
    this._chip.hidden = this._figures.hidden = false;
    const since = account.state_since && format.day(Date.parse(account.state_since) * 1_000);
    const why = account.state === "active" ? [] : [account.state_reason, since && t("since", { time: since })];
    setText(this._note, [account.plan && `${t("plan")}: ${account.plan}`, ...why].filter(Boolean).join(" · "));
    const figures = FIGURES.map((name) => [t(name), account[name]]);
    if (amountOf(account.day_spent)) figures.push([t("spent_on", { day: format.date(account.spent_on) }), account.day_spent]);
    this._figures.replaceChildren(
      ...figures.map(([name, amount]) => el("div", {}, el("dt", {}, name), el("dd", {}, format.money(amountOf(amount), account.currency)))),
    );
  }
}

