/** A table with the result of a query. All values become text, never HTML. */

import { absent, element, isolated } from "./elements.js";
import { LANGUAGE, momentOf, numberOf, say } from "./messages.js";
import { bar } from "./risk.js";

/** @import { Answer } from "./charts.js" */

const LANGUAGES = new Intl.DisplayNames(LANGUAGE, { type: "language", fallback: "none" });
const DIGITS = { maximumFractionDigits: 2 };
/** Columns that are empty if there are too few edits. */
const LIMITS = new Set(["low", "high", "share", "share_reverted", "standard_error"]);
const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const DURATIONS = new Set(["median_seconds", "slowest_hundredth_seconds"]);
const SHARES = new Set(["share_reverted", "low", "high", "standard_error"]);
const SHARE = { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 };

/** @param {string} caption @param {Answer} answer */
export function answerTable(caption, { columns, rows, languages }) {
  return element("table", { className: "answer" }, [
    element("caption", { className: "unseen" }, [caption]),
    element("thead", {}, [
      element("tr", {}, columns.map((name) =>
        element("th", { scope: "col", className: typeof rows[0][columns.indexOf(name)] === "number" && name !== "time"
          ? "amount" : "" }, [say(`column-${name}`)]))),
    ]),
    element("tbody", {}, rows.map((row) =>
      element("tr", {}, row.map((value, place) => cell(columns[place], value, languages, place === 0))))),
  ]);
}

function cell(name, value, languages, isFirst) {
  const isAmount = typeof value === "number" && name !== "time";
  const made = element(isFirst ? "th" : "td", { className: isAmount ? "amount" : "" }, content(name, value, languages));
  if (isFirst) made.scope = "row";
  return made;
}

function content(name, value, languages) {
  if (value === null) return name === "note" ? [] : [absent(say(LIMITS.has(name) ? "too-few" : "not-known"))];
  if (name === "time") return [timeOf(value)];
  if (name === "wiki_id") return [isolated(value), ...language(languages[value])];
  if (name === "share") return [bar(value), ` ${numberOf(value, SHARE)}`];
  if (SHARES.has(name)) return [numberOf(value, SHARE)];
  if (name === "younger" && value === 0) return [say("final")];
  if (name === "title") return [isolated(value.replaceAll("_", " "))];
  if (DURATIONS.has(name)) return [durationOf(value)];
  return typeof value === "number" ? [numberOf(value, DIGITS)] : [isolated(String(value))];
}

/** A duration in the largest unit of which there are at least two. @param {number} seconds */
function durationOf(seconds) {
  const [unit, length] = UNITS.find(([, each]) => seconds >= 2 * each) ?? UNITS.at(-1);
  return numberOf(seconds / length, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 1 });
}

function timeOf(seconds) {
  const moment = new Date(seconds * 1000);
  return element("time", { dateTime: moment.toISOString() }, [momentOf(moment)]);
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
