// What is counted of the calls that are up.

import { costOf } from "./money.js";

// So near the end of its money a call is about to be cut.
export const SOON_US = 300_000_000;
const URGENT_US = 60_000_000;

/** When the call's money ends: all that its account has, where that is known; null: it is free, or not answered. */
export function endOf(call) {
  if (call.phase !== "talking") return null;
  return call.isLow ? call.paidUntilUs : (call.fundedUntilUs ?? call.paidUntilUs);
}

/** Microseconds that are left; Infinity where nothing ends. */
export function leftUs(call, nowUs) {
  const endUs = endOf(call);
  return endUs === null ? Infinity : Math.max(endUs - nowUs, 0);
}

/** How urgent that is: "bad" within a minute, "warn" within five, else null. */
export function moodOf(call, nowUs) {
  const left = leftUs(call, nowUs);
  if (left < URGENT_US) return "bad";
  return left < SOON_US ? "warn" : null;
}

/** Those about to be cut, the first one first. */
export function soonCut(calls, nowUs) {
  const soon = [];
  for (const call of calls) {
    const left = leftUs(call, nowUs);
    if (left < SOON_US) soon.push([left, call]);
  }
  return soon.sort(([one, a], [other, b]) => one - other || a.beganUs - b.beganUs).map(([, call]) => call);
}

/** How many talk, and what all have cost so far, by currency in ten-thousandths. */
export function countCalls(calls, nowUs) {
  let talking = 0;
  const cost = new Map();
  for (const call of calls) {
    if (call.answeredUs === null) continue;
    talking += 1;
    const own = costOf(call, nowUs);
    if (own) cost.set(call.currency, (cost.get(call.currency) ?? 0) + own);
  }
  return { talking, cost };
}

/** Whether the call is of that account, or from or to a number that has these digits. */
export function matches(call, query) {
  return String(call.account) === query || [call.caller, call.to, call.forwardedFrom].some((each) => each?.includes(query));
}
