/** A risk as a number, a bar and a word. */

import { element } from "./elements.js";
import { numberOf, say } from "./messages.js";

const MEDIUM_FROM = 0.25;
const HIGH_FROM = 0.5;

/** Whether a risk has a word: an edit over a threshold is not called low. @param {number} risk @param {number} threshold */
export const hasWord = (risk, threshold = 1) => bandOf(risk) !== "low" || risk <= threshold;

/** Whether a threshold is below the lowest risk that is called medium. @param {number} threshold */
export const isLowThreshold = (threshold) => threshold < MEDIUM_FROM;

/** The word for a risk. @param {number} risk 0 to 1 @returns {"low" | "medium" | "high"} */
export function bandOf(risk) {
  return risk < MEDIUM_FROM ? "low" : risk < HIGH_FROM ? "medium" : "high";
}

/** A risk as text with three decimals. @param {number} risk 0 to 1 */
export const riskNumber = (risk) => numberOf(risk, { minimumFractionDigits: 3, maximumFractionDigits: 3 });

/** @param {number} risk 0 to 1 @param {number} [threshold] of a list of edits with higher risks */
export function riskOf(risk, threshold) {
  const band = bandOf(risk);
  return element("span", { className: `risk ${band}` }, [
    element("span", { className: "number" }, [riskNumber(risk)]),
    bar(risk),
    ...(hasWord(risk, threshold) ? [element("span", { className: `band ${band}` }, [say(`risk-${band}`)])] : []),
  ]);
}

/** A bar that is filled by a share, hidden from screen readers: the number is beside it. @param {number} share 0 to 1 */
export function bar(share) {
  const made = element("span", { className: "bar", ariaHidden: "true" });
  made.style.setProperty("--risk", String(share));
  return made;
}
