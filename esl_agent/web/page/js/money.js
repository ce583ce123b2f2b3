// What a call has cost by now, counted as esl_agent/core/rating.py counts it: whole increments, each
// line rounded half up at 4 decimals.  Amounts are whole ten-thousandths, rates whole millionths.

const US_PER_S = 1_000_000;
const US_PER_MS = 1_000;

/** The whole number of units of 10^-decimals that a decimal text says. */
export function scaled(text, decimals) {
  const [whole, part = ""] = text.replace("-", "").split(".");
  const size = Number(whole) * 10 ** decimals + Number(part.padEnd(decimals, "0").slice(0, decimals));
  return text.startsWith("-") ? -size : size;
}

export const amountOf = (text) => scaled(text, 4);
export const rateOf = (text) => scaled(text, 6);

/** The seconds that an answered leg is billed for. */
export function billedSeconds(durationUs, minimumS, stepS, graceMs) {
  const steps = Math.ceil((durationUs - graceMs * US_PER_MS) / (stepS * US_PER_S));
  return Math.max(minimumS, steps * stepS);
}

/** What so many seconds come to at a rate, in ten-thousandths. */
export function timedAmount(rate, billedS) {
  const exact = rate * billedS;
  if (exact > Number.MAX_SAFE_INTEGER - 6_000) return Number((BigInt(rate) * BigInt(billedS) + 3_000n) / 6_000n);
  const rounded = exact + 3_000;
  return (rounded - (rounded % 6_000)) / 6_000;
}

/** What the call has cost at `nowUs`, in ten-thousandths. */
export function costOf(call, nowUs) {
  if (call.answeredUs === null) return 0;
  const talkedUs = Math.max(nowUs - call.answeredUs, 0);
  const billedS = billedSeconds(talkedUs, call.minimumS, call.stepS, call.graceMs);
  if (!billedS) return 0;
  return timedAmount(call.rate, billedS) + timedAmount(call.forwardingRate, billedS) + call.flat;
}
