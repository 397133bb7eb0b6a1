/** The charts: results of queries of the lake, each with a table and the SQL. */

import { answerTable } from "./answer_table.js";
import { sentenceOf } from "./chart_sentences.js";
import { element } from "./elements.js";
import { LineChart } from "./line_chart.js";
import { momentOf, say } from "./messages.js";

/** @import { Choice } from "./address.js" */

/**
 * @typedef {object} Answer
 * @property {string[]} columns
 * @property {(string | number | null)[][]} rows times in seconds since 1970
 * @property {string} sql the query
 * @property {number} bin_s seconds of one row, in a chart over time
 * @property {number} since the begin of the chosen time, in seconds since 1970
 * @property {number} until its end, the time of the newest edit
 * @property {import("./surges.js").Surge[]} surges in the time that is shown
 * @property {[number, number, number][]} usual for each bin from the first row's to the last row's: low end, mean and
 *   high end of the usual values; empty if they are not known
 * @property {Object<string, string>} languages the language code of each wiki in the rows
 */

/** Charts with lines over time; the others are only tables. */
const OVER_TIME = new Set(["edits", "bots_and_humans"]);
const REPEAT_AFTER_MILLISECONDS = 60_000;
const ANSWER_WITHIN_MILLISECONDS = 60_000;

const byId = (id) => document.getElementById(id);

export class Charts {
  /** @type {Map<string, Chart>} */
  #charts = new Map();
  #choice = null;
  #timer = null;

  /** Add the charts of a lake. @param {string[]} names */
  offer(names) {
    for (const name of names.filter((each) => !this.#charts.has(each))) {
      const chart = new Chart(name);
      this.#charts.set(name, chart);
      byId("chart-list").append(chart.section);
    }
    if (this.#choice !== null) this.#ask();
  }

  /** Show charts for a choice and update them regularly; null stops the updates. @param {?Choice} choice */
  show(choice) {
    this.#choice = choice;
    clearInterval(this.#timer);
    if (choice === null) return;
    this.#ask();
    this.#timer = setInterval(() => this.#ask(), REPEAT_AFTER_MILLISECONDS);
  }

  #ask() {
    const { wiki, model, user, hours } = this.#choice;
    for (const chart of this.#charts.values()) chart.ask({ wiki, model, user, hours });
  }
}

class Chart {
  #name;
  #figure = element("div", { className: "figure" });
  #table = element("div", { className: "scrolled", tabIndex: 0 });
  #sql = element("pre", { className: "scrolled", tabIndex: 0 });
  #state = element("p", { className: "dim" });
  #sentence = element("p", { className: "sentence" });
  #times = element("p", { className: "dim" });
  #line = null;
  /** Counts requests: an answer is ignored if a later request was sent. */
  #asked = 0;

  constructor(name) {
    this.#name = name;
    const title = say(`chart-${name}`);
    this.#table.setAttribute("role", "region");
    this.#table.ariaLabel = title;
    this.#sql.setAttribute("role", "region");
    this.#sql.ariaLabel = `${title}, ${say("as-sql")}`;
    const isDrawn = OVER_TIME.has(name);
    if (isDrawn) this.#line = new LineChart(this.#figure, title);
    this.section = element("section", { className: "chart" }, [
      element("h2", {}, [title]),
      this.#sentence,
      this.#times,
      this.#state,
      ...(isDrawn
        ? [this.#figure, element("details", {}, [element("summary", {}, [say("as-table")]), this.#table])]
        : [this.#table]),
      element("details", {}, [
        element("summary", {}, [say("definitions")]),
        element("p", { className: "dim" }, [say(`chart-${name}-about`)]),
      ]),
      element("details", {}, [
        element("summary", {}, [say("as-sql")]),
        element("p", { className: "dim" }, [say("as-sql-about")]),
        this.#sql,
      ]),
    ]);
  }

  async ask(query) {
    const asked = ++this.#asked;
    this.#state.textContent = say("asking-lake");
    const answer = await answerOf(`charts/${this.#name}?${new URLSearchParams(query)}`);
    if (asked !== this.#asked) return;
    const { error, rows = [], sql = "" } = answer;
    this.#state.textContent = error ? say("no-chart", { reason: error }) : rows.length ? "" : say("nothing-in-lake");
    if (error) return; // the earlier answer stays visible
    const [since, until] = [answer.since, answer.until].map((seconds) => momentOf(new Date(seconds * 1000)));
    this.#sentence.textContent = rows.length ? sentenceOf(this.#name, answer) : "";
    this.#times.textContent = rows.length ? say("from-to", { since, until }) : "";
    this.#sql.textContent = sql;
    this.#table.replaceChildren(...(rows.length ? [answerTable(say(`chart-${this.#name}`), answer)] : []));
    this.#figure.hidden = rows.length === 0;
    this.#line?.show(answer);
  }
}

/** @returns {Promise<Answer | {error: string}>} */
async function answerOf(address) {
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(ANSWER_WITHIN_MILLISECONDS) });
    return await answer.json();
  } catch {
    return { error: say("no-answer") };
  }
}
