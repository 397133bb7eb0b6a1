/** The charts: what the lake answers, each with its table and its SQL. */

import { answerTable } from "./answer_table.js";
import { element } from "./elements.js";
import { LineChart } from "./line_chart.js";
import { say } from "./messages.js";

/** @import { Choice } from "./address.js" */

/**
 * @typedef {object} Answer
 * @property {string[]} columns
 * @property {(string | number | null)[][]} rows times in seconds since 1970
 * @property {string} sql what was asked
 * @property {number} bin_s how many seconds a row of a chart over time stands for
 * @property {import("./surges.js").Surge[]} surges of the time that is shown
 * @property {[number, number, number][]} usual for each bin from the first row's to the last row's: the low end, the mean
 *   and the high end of what is usual; empty where that is not known
 * @property {Object<string, string>} languages the language code of each wiki in the rows
 */

/** Which are drawn over time; the others are tables. */
const OVER_TIME = new Set(["edits", "bots_and_humans"]);
const AGAIN_AFTER_MILLISECONDS = 60_000;
const ANSWER_WITHIN_MILLISECONDS = 60_000;

const byId = (id) => document.getElementById(id);

export class Charts {
  /** @type {Map<string, Chart>} */
  #charts = new Map();
  #choice = null;
  #timer = null;

  /** Offer the charts of a lake. @param {string[]} names */
  offer(names) {
    for (const name of names.filter((each) => !this.#charts.has(each))) {
      const chart = new Chart(name);
      this.#charts.set(name, chart);
      byId("chart-list").append(chart.section);
    }
    if (this.#choice !== null) this.#ask();
  }

  /** Show what is chosen, and again from time to time; nothing where it is null. @param {?Choice} choice */
  show(choice) {
    this.#choice = choice;
    clearInterval(this.#timer);
    if (choice === null) return;
    this.#ask();
    this.#timer = setInterval(() => this.#ask(), AGAIN_AFTER_MILLISECONDS);
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
  #line = null;
  /** Counts what was asked: an answer that comes after the next question is dropped. */
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
      element("p", { className: "dim" }, [say(`chart-${name}-about`)]),
      this.#state,
      ...(isDrawn
        ? [this.#figure, element("details", {}, [element("summary", {}, [say("as-table")]), this.#table])]
        : [this.#table]),
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
    if (error) return; // what was shown stays
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
