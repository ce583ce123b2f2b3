// What the page knows: the tables as the feed told them, and the switch's clock.

import { COLUMNS, readRow } from "./rows.js";

// A message can only be older than the clock that it tells: the freshest of the last while tells best.
const CLOCK_WINDOW_MS = 30_000;

export class Store {
  constructor() {
    this.tables = Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, new Map()]));
    this.isReady = false;
    this._coming = null;
    this._offsetUs = null;
    this._offsetAtMs = 0;
  }

  get state() {
    return this.tables.state.values().next().value ?? null;
  }

  /** Microseconds since 1970 on the switch's clock. */
  nowUs() {
    return this._offsetUs === null ? Date.now() * 1_000 : performance.now() * 1_000 + this._offsetUs;
  }

  /** Take an event of the feed; true where the page should be drawn anew. */
  take(event, data) {
    if (data.now_us) this._hearClock(data.now_us);
    if (event === "snapshot") {
      this._coming = Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, new Map()]));
    } else if (event === "rows" && this._coming) {
      addRows(this._coming, data.table, data.rows);
    } else if (event === "ready" && this._coming) {
      this.tables = this._coming;
      this._coming = null;
      this.isReady = true;
      return true;
    } else if (event === "delta") {
      for (const [name, change] of Object.entries(data.tables)) {
        for (const key of change.gone) this.tables[name]?.delete(key);
        addRows(this.tables, name, change.rows);
      }
      return true;
    }
    return false;
  }

  _hearClock(nowUs) {
    const offsetUs = nowUs - performance.now() * 1_000;
    const isOld = performance.now() - this._offsetAtMs > CLOCK_WINDOW_MS;
    if (this._offsetUs === null || offsetUs > this._offsetUs || isOld) {
      this._offsetUs = offsetUs;
      this._offsetAtMs = performance.now();
    }
  }
}

// A page of another version of the agent may know other tables.
function addRows(tables, name, rows) {
  const table = tables[name];
  if (table) for (const row of rows) table.set(row[0], readRow(name, row));
}
