// Calls and spend over the last hours: three strips over one line of time, and a cursor that tells of a minute.

import { el, list, setAttribute, setHidden, setText, svg } from "../dom.js";
import { amountOf } from "../money.js";
import { MINUTE_US, moneyText, sumSince } from "../minutes.js";
import { panel } from "./panel.js";

const HOURS = [1, 3, 6];
const HEIGHT = 100;

export class Plot {
  constructor(words) {
    this._words = words;
    const { t } = words;
    this._hours = 3;
    this._cursor = null; // a minute, in microseconds; null: the present one
    this._up = strip(t("plot_up"), t);
    this._begun = strip(t("plot_begun"), t, { down: t("plot_refused") });
    this._spend = strip("", t);
    this._times = el("div", { class: "times", "aria-hidden": "true" });
    this._readout = el("p", { class: "readout" });
    this._box = el(
      "div",
      {
        class: "cursor-box strips", tabindex: "0", role: "slider", "aria-label": t("plot_cursor"), "aria-describedby": "plot-hint",
        keydown: (event) => this._key(event), pointermove: (event) => this._point(event), pointerleave: () => this._move(null),
      },
      this._up.node, this._begun.node, this._spend.node,
    );
    const range = el("select", { id: "plot-range", change: (event) => this._choose(Number(event.target.value)) });
    range.append(...HOURS.map((n) => el("option", { value: n, selected: n === this._hours }, t("plot_hours", { n }))));
    this._tableBody = el("tbody");
    const heading = (name) => el("th", { scope: "col", class: name === "hour" ? null : "number" }, t(name));
    const names = ["hour", "admitted", "answered", "refused", "cut", "spent", "most_up"];
    const details = el(
      "details", { class: "more" }, el("summary", {}, t("plot_table")),
      el("div", { class: "scroll" }, el("table", { "aria-labelledby": "plot-title" }, el("thead", {}, el("tr", {}, ...names.map(heading))), this._tableBody)),
    );
    const parts = panel(
      "plot", t("plot"), "", this._box, this._times, this._readout,
      el("p", { class: "unseen", id: "plot-hint" }, t("plot_hint")), details,
    );
    setHidden(parts.empty, true);
    parts.note.replaceChildren(el("label", { class: "unseen", for: "plot-range" }, t("plot_range")), range);
  }

  draw(store, nowUs) {
    this._drawn = [store, nowUs];
    const { format, t } = this._words;
    const last = Math.floor(nowUs / MINUTE_US) * MINUTE_US;
    const count = this._hours * 60;
    const first = last - (count - 1) * MINUTE_US;
    const minutes = Array.from({ length: count }, (_, at) => store.tables.minutes.get(first + at * MINUTE_US) ?? null);
    const currency = mainCurrency(minutes);
    const seen = [first, count, store.tables.minutes.size, minutes.at(-1)];
    if (!this._seen?.every((each, at) => each === seen[at])) this._shapes(minutes, currency);
    this._seen = seen;
    setText(this._spend.label, t("plot_spend", { currency }));
    this._range = { first, last, count };
    this._tell(minutes);
    const ticks = [0, 1, 2, 3].map((quarter) => format.minute(first + (quarter * count * MINUTE_US) / 4));
    if (this._ticks !== ticks[0]) {
      this._ticks = ticks[0];
      this._times.replaceChildren(...[...ticks, t("plot_now")].map((tick) => el("span", {}, tick)));
    }
    this._table(store, last);
  }

  _shapes(minutes, currency) {
    const { format, t } = this._words;
    const up = minutes.map((minute) => minute?.upMax ?? null);
    const admitted = minutes.map((minute) => minute?.admitted ?? 0);
    const refused = minutes.map((minute) => sumOf(minute?.refused));
    const spent = minutes.map((minute) => amountOf(minute?.spend[currency] ?? "0"));
    drawArea(this._up.svg, up);
    drawBars(this._begun.svg, admitted, refused);
    drawBars(this._spend.svg, spent, null);
    const most = (values) => Math.max(0, ...values);
    const largest = (n) => t("plot_most", { n });
    setText(this._up.most, largest(format.number(most(up))));
    setText(this._begun.most, `${largest(format.number(most(admitted)))} / ${format.number(most(refused))}`);
    setText(this._spend.most, largest(format.money(most(spent), currency, 2)));
  }

  _tell(minutes) {
    const { first, last, count } = this._range;
    const at = this._cursor === null ? count - 1 : Math.min(Math.max(Math.round((this._cursor - first) / MINUTE_US), 0), count - 1);
    const minute = minutes[at];
    const { t, format } = this._words;
    const told = t("plot_readout", {
      time: format.minute(first + at * MINUTE_US), up: minute?.upMax ?? t("plot_unknown"), admitted: minute?.admitted ?? 0,
      answered: minute?.answered ?? 0, refused: sumOf(minute?.refused), cut: minute?.cut ?? 0,
      spend: moneyText(new Map(Object.entries(minute?.spend ?? {}).map(([key, text]) => [key, amountOf(text)])), format, 2) || "0",
    });
    setText(this._readout, told);
    setAttribute(this._box, "aria-valuemin", 0);
    setAttribute(this._box, "aria-valuemax", count - 1);
    setAttribute(this._box, "aria-valuenow", at);
    setAttribute(this._box, "aria-valuetext", told);
    for (const each of [this._up, this._begun, this._spend]) {
      setAttribute(each.cursor, "x1", at + 0.5);
      setAttribute(each.cursor, "x2", at + 0.5);
      setAttribute(each.cursor, "visibility", this._cursor === null ? "hidden" : "visible");
    }
  }

  _table(store, last) {
    const hour = 60 * MINUTE_US;
    const rows = Array.from({ length: this._hours }, (_, at) => last - at * hour + MINUTE_US);
    const minutes = [...store.tables.minutes.values()];
    const { format } = this._words;
    const sums = rows.map((until) => {
      const sum = sumSince(minutes.filter((minute) => minute.beginsUs < until), until - hour - 1);
      const spent = moneyText(sum.spend, format, 2) || "0";
      const texts = [sum.admitted, sum.answered, sum.refused, sum.cut].map((n) => format.number(n));
      return [`${format.minute(until - hour)} – ${format.minute(until)}`, ...texts, spent, sum.upMax === null ? "" : format.number(sum.upMax)];
    });
    list(this._tableBody, sums.map((texts, at) => ({ texts, at })), ({ at }) => at, () => sumRow());
  }

  _choose(hours) {
    this._hours = hours;
    this._cursor = null;
    this.draw(...this._drawn);
  }

  _move(cursor) {
    this._cursor = cursor;
    if (this._drawn) this.draw(...this._drawn);
  }

  _point(event) {
    const box = this._up.svg.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.9999);
    this._move(this._range.first + Math.floor(share * this._range.count) * MINUTE_US);
  }

  _key(event) {
    const { first, last } = this._range ?? {};
    const from = this._cursor ?? last;
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const to = { Home: first, End: last }[event.key] ?? from + (steps[event.key] ?? NaN) * MINUTE_US;
    if (Number.isNaN(to) || first === undefined) return;
    event.preventDefault();
    this._move(Math.min(Math.max(to, first), last));
  }
}

function strip(label, t, { down = null } = {}) {
  const text = el("span", {}, label);
  const most = el("span", { class: "most" });
  const cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
  const drawing = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, svg("g"), cursor);
  const key = (kind) => el("span", { class: `key ${kind}`, "aria-hidden": "true" });
  const legend = el("div", { class: "legend" }, el("span", {}, key(""), text));
  if (down) legend.append(el("span", {}, key("down"), down));
  legend.append(most);
  const node = el("div", { class: down ? "strip mirror" : "strip" }, legend, drawing);
  return { node, svg: drawing, cursor, label: text, most };
}

// An hour has few minutes and many pixels: the drawing is as wide as there are minutes, and is stretched.
function drawArea(drawing, values) {
  setAttribute(drawing, "viewBox", `0 0 ${values.length} ${HEIGHT}`);
  const most = Math.max(1, ...values);
  const points = values.map((value, at) => (value === null ? null : [at + 0.5, HEIGHT - (value / most) * (HEIGHT - 4)]));
  const line = points.map((point, at) => (point ? `${points[at - 1] ? "L" : "M"}${point[0]} ${point[1].toFixed(2)}` : "")).join("");
  const area = points.map((point) => (point ? `M${point[0] - 0.5} ${HEIGHT}V${point[1].toFixed(2)}h1V${HEIGHT}z` : "")).join("");
  drawing.firstChild.replaceChildren(svg("path", { class: "area", d: area }), svg("path", { class: "line", d: line }));
}

function drawBars(drawing, up, down) {
  setAttribute(drawing, "viewBox", `0 0 ${up.length} ${HEIGHT}`);
  const [mostUp, mostDown] = [Math.max(1, ...up), Math.max(0, ...(down ?? []))];
  const above = mostDown ? HEIGHT * 0.66 : HEIGHT;
  const bars = [];
  up.forEach((value, at) => {
    const size = (value / mostUp) * (above - 2);
    if (size) bars.push(svg("rect", { class: "up", x: at + 0.1, width: 0.8, y: above - size, height: size }));
  });
  (down ?? []).forEach((value, at) => {
    const size = mostDown ? Math.max((value / mostDown) * (HEIGHT - above - 2), value ? 3 : 0) : 0;
    if (size) bars.push(svg("rect", { class: "down", x: at + 0.1, width: 0.8, y: above + 1, height: size }));
  });
  if (down) bars.push(svg("line", { class: "axis", x1: 0, x2: up.length, y1: above, y2: above }));
  drawing.firstChild.replaceChildren(...bars);
}

function sumRow() {
  const head = el("th", { scope: "row", class: "nowrap" });
  const cells = Array.from({ length: 6 }, () => el("td", { class: "number" }));
  const update = ({ texts }) => [head, ...cells].forEach((cell, at) => setText(cell, texts[at]));
  return { node: el("tr", {}, head, ...cells), update };
}

function sumOf(counts) {
  return Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
}

function mainCurrency(minutes) {
  const sums = new Map();
  for (const minute of minutes) {
    for (const [currency, text] of Object.entries(minute?.spend ?? {})) sums.set(currency, (sums.get(currency) ?? 0) + amountOf(text));
  }
  return [...sums].sort(([, one], [, other]) => other - one)[0]?.[0] ?? "CAD";
}
