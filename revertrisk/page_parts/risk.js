/** A risk as a number, a bar and a word. */

import { element } from "./elements.js";

const MEDIUM_FROM = 0.25;
const HIGH_FROM = 0.5;

/** The word for a risk. @param {number} risk 0 to 1 @returns {"low" | "medium" | "high"} */
export function bandOf(risk) {
  return risk < MEDIUM_FROM ? "low" : risk < HIGH_FROM ? "medium" : "high";
}

/** @param {number} risk 0 to 1 */
export function riskOf(risk) {
  const band = bandOf(risk);
  return element("span", { className: `risk ${band}` }, [
    element("span", { className: "number" }, [risk.toFixed(3)]),
    bar(risk),
    element("span", { className: `band ${band}` }, [band]),
  ]);
}

/** A bar that is filled to a share; it says nothing that does not stand beside it. @param {number} share 0 to 1 */
export function bar(share) {
  const made = element("span", { className: "bar", ariaHidden: "true" });
  made.style.setProperty("--risk", String(share));
  return made;
}
