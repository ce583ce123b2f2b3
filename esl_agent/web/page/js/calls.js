// What is counted of the calls that are up.

import { amountOf, costOf } from "./money.js";

// So near the end of its money a call is about to be cut.
export const SOON_US = 300_000_000;
const URGENT_US = 60_000_000;
const US_PER_MINUTE = 60_000_000;

/**
 * Count when the money of each call ends: `moneyEndsUs`, null where it is free or not answered.
 *
 * A call that got no more ends when what is held for it does.  Any other may go on with all that its
 * account had when it was last asked, and shares that with the account's other calls: of the accounts
 * that are near their end the page knows what they have left.
 */
export function countEnds(calls, balances, nowUs) {
  const uses = useByAccount(calls, balances, nowUs);
  for (const call of calls.values()) {
    if (call.phase !== "talking" || call.paidUntilUs === null) {
      call.moneyEndsUs = null;
    } else if (call.isLow) {
      call.moneyEndsUs = call.paidUntilUs;
    } else {
      const shared = sharedEndUs(uses.get(call.account), balances.get(call.account), nowUs);
      call.moneyEndsUs = Math.max(Math.min(call.fundedUntilUs, shared), call.paidUntilUs);
    }
  }
}

// What the calls of each account near its end cost so far, and together in a minute.
function useByAccount(calls, balances, nowUs) {
  const uses = new Map([...balances.keys()].map((account) => [account, { cost: 0, rate: 0 }]));
  for (const call of calls.values()) {
    const use = uses.get(call.account);
    if (!use || call.answeredUs === null) continue;
    use.cost += costOf(call, nowUs);
    use.rate += (call.rate + call.forwardingRate) / 100;
  }
  return uses;
}

function sharedEndUs(use, balance, nowUs) {
  if (!use?.rate) return Infinity;
  return nowUs + (Math.max(amountOf(balance.funds) - use.cost, 0) / use.rate) * US_PER_MINUTE;
}

/** Microseconds that are left; Infinity where nothing ends. */
export function leftUs(call, nowUs) {
  return call.moneyEndsUs === null ? Infinity : Math.max(call.moneyEndsUs - nowUs, 0);
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
  return call.account === query || [call.caller, call.to, call.forwardedFrom].some((each) => each?.includes(query));
}
