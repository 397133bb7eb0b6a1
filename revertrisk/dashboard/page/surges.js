/** Surges and silences as sentences. */

import { element, isolated } from "./elements.js";
import { momentOf, numberOf, say } from "./messages.js";

/**
 * @typedef {object} Surge
 * @property {string} scope a wiki_id, or a name of several wikis
 * @property {string} series
 * @property {number} since seconds since 1970
 * @property {?number} ended null while it is open
 * @property {?number} ratio observed to expected count
 * @property {boolean} provisional
 */

const ONE_DIGIT = { maximumFractionDigits: 1 };

/** @param {Surge} surge */
export function surgeInWords({ scope, series, since, ended, ratio, provisional }) {
  const moment = (seconds) => momentOf(new Date(seconds * 1000));
  const times = ended === null
    ? say("surge-since", { since: moment(since) })
    : say("surge-between", { since: moment(since), ended: moment(ended) });
  return element("li", { className: ended === null ? "open" : "" }, [
    isolated(scope),
    `: ${say(`surge-${series}`)}`,
    ...(ratio === null ? [] : [`, ${say("surge-ratio", { ratio: numberOf(ratio, ONE_DIGIT) })}`]),
    `, ${times}`,
    ...(provisional ? [` (${say("surge-provisional")})`] : []),
  ]);
}
