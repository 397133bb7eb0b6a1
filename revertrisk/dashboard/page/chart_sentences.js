/** What a chart says, in one sentence; the definitions are below it. */

import { numberOf, say } from "./messages.js";

/** @import { Answer } from "./charts.js" */

const PERCENT = { style: "percent", maximumSignificantDigits: 2 };
const HOURS_OF_DAYS = 24;

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
  at_risk: ({ values, sum }) =>
    say("sentence-at_risk", { n: sum("edits"), above: sum("above_threshold"), wikis: new Set(values("wiki_id")).size }),
  busiest_pages: ({ values }) =>
    say("sentence-busiest_pages", {
      title: `\u2068${values("title")[0].replaceAll("_", " ")}\u2069`,
      n: values("people")[0],
      edits: values("edits")[0],
    }),
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
