/** What a chart says, in one sentence; the definitions are below it. */

import { numberOf, say } from "./messages.js";

/** @import { Answer } from "./charts.js" */

const PERCENT = { style: "percent", maximumSignificantDigits: 2 };
const HOURS_OF_DAYS = 24;
/** Stands for all wikis together in the column wiki_id. */
const ALL = "all";

/** @param {string} name of the chart @param {Answer} answer with rows @returns {string} */
export function sentenceOf(name, answer) {
  const values = (column) => answer.rows.map((row) => row[answer.columns.indexOf(column)]);
  const sum = (column) => values(column).reduce((total, value) => total + value, 0);
  const counted = (column) => Math.round((sum(column) * answer.bin_s) / 60);
  return SENTENCES[name]({ values, sum, counted });
}

const SENTENCES = {
  edits: ({ counted }) =>
    say("sentence-edits", { n: counted("edits_a_minute"), above: counted("high_risk_a_minute") }),
  bots_and_humans: ({ counted }) =>
    say("sentence-bots_and_humans", {
      bots: counted("bots_a_minute"),
      accounts: counted("accounts_a_minute"),
      others: counted("not_logged_in_a_minute"),
    }),
  at_risk({ values }) {
    const wikis = values("wiki_id");
    const isCounted = wikis.includes(ALL) ? (wiki) => wiki === ALL : () => true;
    const sum = (column) => values(column).reduce((total, value, index) => total + (isCounted(wikis[index]) ? value : 0), 0);
    const number = new Set(wikis.filter((wiki) => wiki !== ALL)).size;
    return say("sentence-at_risk", { n: sum("edits"), above: sum("above_threshold"), wikis: number });
  },
  busiest_pages({ values }) {
    const [title, n, edits] = ["title", "people", "edits"].map((column) => values(column)[0]);
    const shown = { title: `\u2068${title.replaceAll("_", " ")}\u2069`, edits };
    return n === null ? say("sentence-busiest_pages-edits", shown) : say("sentence-busiest_pages", { ...shown, n });
  },
  freshness: ({ sum }) => say("sentence-freshness", { n: sum("predicted"), missing: sum("missing") }),
  outcomes({ values }) {
    const place = values("share_reverted").findIndex((share) => share !== null);
    if (place === -1) return say("sentence-outcomes-early");
    return say("sentence-outcomes", {
      n: values("edits")[place],
      share: numberOf(values("share_reverted")[place], PERCENT),
      days: values("horizon_hours")[place] / HOURS_OF_DAYS,
    });
  },
};
