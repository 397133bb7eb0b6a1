/** A risk as a number, a bar and a word. */

import { element } from "./elements.js";
import { numberOf, say } from "./messages.js";

const MEDIUM_FROM = 0.25;
const HIGH_FROM = 0.5;

/** The word for a risk. @param {number} risk 0 to 1 @returns {"low" | "medium" | "high"} */
export function bandOf(risk) {
  return risk < MEDIUM_FROM ? "low" : risk < HIGH_FROM ? "medium" : "high";
}

/** A risk as text with three decimals. @param {number} risk 0 to 1 */
export const riskNumber = (risk) => numberOf(risk, { minimumFractionDigits: 3, maximumFractionDigits: 3 });

/** @param {number} risk 0 to 1 */
export function riskOf(risk) {
  const band = bandOf(risk);
  return element("span", { className: `risk ${band}` }, [
    element("span", { className: "number" }, [riskNumber(risk)]),
    bar(risk),
    element("span", { className: `band ${band}` }, [say(`risk-${band}`)]),
  ]);
}

/** A bar that is filled by a share, hidden from screen readers: the number is beside it. @param {number} share 0 to 1 */
export function bar(share) {
  const made = element("span", { className: "bar", ariaHidden: "true" });
  made.style.setProperty("--risk", String(share));
  return made;
}
