/** A table with the result of a query. All values become text, never HTML. */

import { absent, element, isolated } from "./elements.js";
import { LANGUAGE, modelName, momentOf, numberOf, say, zoneName } from "./messages.js";
import { bar } from "./risk.js";

/** @import { Answer } from "./charts.js" */

const LANGUAGES = new Intl.DisplayNames(LANGUAGE, { type: "language", fallback: "none" });
const DIGITS = { maximumSignificantDigits: 3 };
/** Columns that are empty if there are too few edits or pages, or if all edits are too young. */
const ESTIMATES = new Set(["share", "low", "high", "standard_error", "share_reverted"]);
const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const DURATIONS = new Set(["median_seconds", "slowest_hundredth_seconds"]);
const SHARES = new Set(["share_reverted", "low", "high", "standard_error"]);
const SHARE = { style: "percent", minimumSignificantDigits: 3, maximumSignificantDigits: 3 };

/** @param {string} caption @param {Answer} answer */
export function answerTable(caption, { columns, rows, languages }) {
  return element("table", { className: "answer" }, [
    element("caption", { className: "unseen" }, [caption]),
    element("thead", {}, [
      element("tr", {}, columns.map((name) =>
        element("th", { scope: "col", className: typeof rows[0][columns.indexOf(name)] === "number" && name !== "time"
          ? "amount" : "" }, [say(`column-${name}`), name === "time" ? ` (${zoneName()})` : ""]))),
    ]),
    element("tbody", {}, rows.map((row) => {
      const missing = row[columns.indexOf("younger")] === row[columns.indexOf("edits")] ? "too-young" : "too-few";
      return element("tr", {}, row.map((value, index) => cell(columns[index], value, languages, index === 0, missing)));
    })),
  ]);
}

function cell(name, value, languages, isFirst, missing) {
  const isAmount = typeof value === "number" && name !== "time";
  const made = element(isFirst ? "th" : "td", { className: isAmount ? "amount" : "" }, content(name, value, languages, missing));
  if (isFirst) made.scope = "row";
  return made;
}

function content(name, value, languages, missing) {
  if (value === null && (name === "note" || name === "threshold")) return [];
  if (value === null) return [absent(say(ESTIMATES.has(name) ? missing : "not-known"))];
  if (name === "time") return [timeOf(value)];
  if (name === "wiki_id" && value === "all") return [say("all-wikis")];
  if (name === "wiki_id") return [isolated(value), ...language(languages[value])];
  if (name === "share") return [bar(value), ` ${numberOf(value, SHARE)}`];
  if (SHARES.has(name)) return [numberOf(value, SHARE)];
  if (name === "younger" && value === 0) return [say("final")];
  if (name === "model_name") return [element("span", { title: value }, [isolated(modelName(value))])];
  if (name === "title") return [isolated(value.replaceAll("_", " "))];
  if (DURATIONS.has(name)) return [durationOf(value)];
  if (Number.isInteger(value)) return [numberOf(value)];
  return typeof value === "number" ? [numberOf(value, DIGITS)] : [isolated(String(value))];
}

/** A duration in the largest unit of which there are at least two. @param {number} seconds */
function durationOf(seconds) {
  const [unit, length] = UNITS.find(([, each]) => seconds >= 2 * each) ?? UNITS.at(-1);
  return numberOf(seconds / length, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 1 });
}

function timeOf(seconds) {
  const moment = new Date(seconds * 1000);
  return element("time", { dateTime: moment.toISOString() }, [momentOf(moment, false)]);
}

/** The name of a wiki's language, if the browser knows it. */
function language(code) {
  try {
    const name = code && LANGUAGES.of(code);
    return name ? [" ", element("span", { className: "dim" }, [isolated(name)])] : [];
  } catch {
    return []; // a code that only MediaWiki uses
  }
}
