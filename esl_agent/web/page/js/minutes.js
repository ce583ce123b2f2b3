// Sums over the minutes of the plot.

import { amountOf } from "./money.js";

export const MINUTE_US = 60_000_000;

/** What happened in the minutes that began after `sinceUs`. */
export function sumSince(minutes, sinceUs) {
  const sum = { admitted: 0, answered: 0, cut: 0, refused: 0, upMax: null, reasons: new Map(), spend: new Map() };
  for (const minute of minutes) {
    if (minute.beginsUs > sinceUs) addMinute(sum, minute);
  }
  return sum;
}

function addMinute(sum, minute) {
  sum.admitted += minute.admitted;
  sum.answered += minute.answered;
  sum.cut += minute.cut;
  if (minute.upMax !== null) sum.upMax = Math.max(sum.upMax ?? 0, minute.upMax);
  for (const [reason, count] of Object.entries(minute.refused)) {
    sum.refused += count;
    sum.reasons.set(reason, (sum.reasons.get(reason) ?? 0) + count);
  }
  for (const [currency, text] of Object.entries(minute.spend)) {
    sum.spend.set(currency, (sum.spend.get(currency) ?? 0) + amountOf(text));
  }
}

/** Sums by currency as text, the largest first. */
export function moneyText(byCurrency, format, decimals) {
  const sums = [...byCurrency].sort(([, one], [, other]) => other - one);
  return sums.map(([currency, sum]) => format.money(sum, currency, decimals)).join(" + ");
}
