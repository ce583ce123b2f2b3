// The columns of each table, as esl_agent/web/live/rows.py sends them: arrays, the key first.

import { amountOf, rateOf } from "./money.js";

export const COLUMNS = {
  state: [
    "version", "switch", "is_switch_up", "is_database_up", "is_twin", "may_act", "live_calls", "unsettled",
    "journal_has_room", "low_balance",
  ],
  alerts: ["key", "word", "level", "count", "first_us", "last_us", "stands", "ended_us", "fields"],
  refusals: ["number", "at_us", "account", "caller", "to", "reason", "detail"],
  balances: ["account", "name", "available", "funds", "currency", "calls_up", "spent_today"],
  minutes: ["begins_us", "admitted", "answered", "refused", "cut", "ended", "spend", "up_max"],
  calls: [
    "leg_uuid", "account", "product", "caller", "to", "country", "destination", "carrier", "forwarded_from",
    "phase", "began_us", "answered_us", "is_free", "rate_per_minute", "forwarding_rate_per_minute", "flat",
    "minimum_s", "step_s", "grace_ms", "currency", "held", "paid_until_us", "funded_until_us", "is_low",
  ],
};

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const NAMES = Object.fromEntries(Object.entries(COLUMNS).map(([table, names]) => [table, names.map(camel)]));

/** A row as an object, its numbers ready to count with. */
export function readRow(table, row) {
  const names = NAMES[table];
  const read = {};
  for (let at = 0; at < names.length; at += 1) read[names[at]] = row[at];
  if (table === "calls") {
    read.rate = rateOf(read.ratePerMinute);
    read.forwardingRate = rateOf(read.forwardingRatePerMinute);
    read.flat = amountOf(read.flat);
    read.held = amountOf(read.held);
    read.moneyEndsUs = null; // calls.js counts it
  }
  return read;
}
