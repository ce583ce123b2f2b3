// The table of live calls: sorted, in pages, and counted on every second.

import { leftUs, moodOf } from "../calls.js";
import { el, list, setAttribute, setHidden, setText } from "../dom.js";
import { costOf } from "../money.js";

const PAGE_ROWS = 50;
const A_DAY_US = 86_000_000_000;

// What a narrow window leaves out.
const EXTRA = new Set(["caller", "carrier", "phase", "began", "talked", "held"]);

const text = (value) => String(value ?? "");
// Each column: by what it is sorted, and whether it is a number.  Numbers begin with the largest, times left with the least.
const COLUMNS = {
  account: { by: (call) => call.account.padStart(18) },
  caller: { by: (call) => text(call.caller) },
  to: { by: (call) => text(call.to) },
  carrier: { by: (call) => text(call.carrier) },
  phase: { by: (call) => text(call.phase) },
  began: { by: (call) => call.beganUs, isNumber: true },
  talked: { by: (call) => (call.answeredUs === null ? Infinity : call.answeredUs), isNumber: true },
  cost: { by: (call, nowUs) => -costOf(call, nowUs), isNumber: true },
  held: { by: (call) => -call.held, isNumber: true },
  left: { by: (call, nowUs) => leftUs(call, nowUs), isNumber: true },
};

export class Calls {
  /** `id` is that of the table's heading in `root`; `none` names the text where no call is shown. */
  constructor(words, root, { id, title, level = "h2", none = "calls_none" }) {
    this._words = words;
    this._sort = { column: "left", isReversed: false };
    this._page = 0;
    this._none = none;
    this._heads = Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, this._head(name)]));
    this._body = el("tbody");
    this._table = el(
      "table", { "aria-labelledby": id, "aria-describedby": `${id}-how` },
      el("thead", {}, el("tr", {}, ...Object.values(this._heads))), this._body,
    );
    this._scroll = el("div", { class: "scroll" }, this._table);
    this._empty = el("p", { class: "empty" }, words.t(none));
    this._range = el("span", { class: "muted" });
    this._previous = el("button", { type: "button", click: () => this._turn(-1) }, words.t("previous"));
    this._next = el("button", { type: "button", click: () => this._turn(1) }, words.t("next"));
    this._pages = el("nav", { class: "pages", "aria-label": words.t("pages") }, this._range, this._previous, this._next);
    root.replaceChildren(
      el("div", { class: "head" }, el(level, { id }, title), el("div", { class: "tools" }, this._pages)),
      el("p", { class: "unseen", id: `${id}-how` }, words.t("sorted")), this._empty, this._scroll,
    );
  }

  /** `calls` is an array: it is drawn again when somebody sorts or turns the page. */
  draw(calls, nowUs) {
    this._drawn = [calls, nowUs];
    const sorted = this._sorted(calls, nowUs);
    const pages = Math.max(Math.ceil(sorted.length / PAGE_ROWS), 1);
    this._page = Math.min(this._page, pages - 1);
    const first = this._page * PAGE_ROWS;
    const shown = sorted.slice(first, first + PAGE_ROWS);
    setHidden(this._empty, sorted.length > 0);
    setHidden(this._scroll, !sorted.length);
    setHidden(this._pages, !sorted.length);
    const range = { first: first + 1, last: first + shown.length, n: sorted.length };
    setText(this._range, this._words.t("calls_range", range));
    this._previous.disabled = !this._page;
    this._next.disabled = this._page >= pages - 1;
    for (const [name, head] of Object.entries(this._heads)) {
      const direction = this._sort.isReversed ? "descending" : "ascending";
      setAttribute(head, "aria-sort", name === this._sort.column ? direction : null);
    }
    list(this._body, shown.map((call) => ({ call, nowUs })), ({ call }) => call.legUuid, () => this._row());
  }

  _sorted(calls, nowUs) {
    const { by } = COLUMNS[this._sort.column];
    const order = this._sort.isReversed ? -1 : 1;
    const keyed = calls.map((call) => [by(call, nowUs), call]);
    keyed.sort(([one, a], [other, b]) => (one < other ? -order : one > other ? order : a.beganUs - b.beganUs));
    return keyed.map(([, call]) => call);
  }

  _turn(by) {
    this._page += by;
    this.draw(...this._drawn);
  }

  _head(name) {
    const choose = () => {
      const isSame = this._sort.column === name;
      this._sort = { column: name, isReversed: isSame && !this._sort.isReversed };
      this._page = 0;
      this.draw(...this._drawn);
    };
    const button = el("button", { type: "button", click: choose }, this._words.t(`col_${name}`));
    return el("th", { scope: "col", class: [COLUMNS[name].isNumber && "number", EXTRA.has(name) && "extra"].filter(Boolean).join(" ") || null }, button);
  }

  _row() {
    const account = el("a");
    const [caller, carrier, phase] = ["mono extra", "extra", "nowrap extra"].map((kind) => el("td", { class: kind }));
    const number = el("span", { class: "mono" });
    const place = el("span", { class: "muted" });
    const [began, talked, held] = Array.from({ length: 3 }, () => el("td", { class: "number extra" }));
    const [cost, left] = ["number", "number left"].map((kind) => el("td", { class: kind }));
    const node = el(
      "tr", {}, el("th", { scope: "row" }, account), caller, el("td", {}, number, " ", place), carrier, phase, began,
      talked, cost, held, left,
    );
    const update = ({ call, nowUs }) => {
      const { t, format } = this._words;
      setAttribute(node, "data-mood", moodOf(call, nowUs));
      setAttribute(account, "href", `#/account/${call.account}`);
      setText(account, call.account);
      setText(caller, call.forwardedFrom ? `${call.caller} ↪ ${call.forwardedFrom}` : call.caller);
      setText(number, call.to);
      setText(place, call.destination || this._words.country(call.country));
      setText(carrier, text(call.carrier));
      setText(phase, t(`phase_${call.phase}`));
      setText(began, format.clock(call.beganUs));
      setText(talked, call.answeredUs === null ? "" : format.duration((nowUs - call.answeredUs) / 1_000_000));
      setText(cost, call.isFree ? t("free") : format.money(costOf(call, nowUs), call.currency));
      setText(held, call.isFree ? "" : format.money(call.held, call.currency));
      setText(left, this._leftText(call, nowUs));
    };
    return { node, update };
  }

  _leftText(call, nowUs) {
    const { t, format } = this._words;
    if (call.moneyEndsUs === null) return call.phase === "talking" ? t("no_end") : "";
    const left = leftUs(call, nowUs);
    if (left > A_DAY_US) return t("over_a_day");
    const time = format.duration(left / 1_000_000);
    return call.isLow ? time : t("about_left", { time });
  }
}
