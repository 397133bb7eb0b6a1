/** The dialog that says why a model gave a revision its risk. The gate asks the model's server when it is opened. */

import { element, isolated } from "./elements.js";
import { factsOf, meaningOf } from "./facts.js";
import { bandOf, bar } from "./risk.js";

/** @import { Edit } from "./event_reader.js" */

const ANSWER_WITHIN_MILLISECONDS = 30_000;
const MOST_FACTS = 6;
const MOST_NUMBERS = 12;

export class Reasons {
  #dialog = document.getElementById("reasons");
  #about = document.getElementById("reasons-about");
  #body = document.getElementById("reasons-body");
  /** Counts what was asked: an answer that comes after the next question is dropped. */
  #asked = 0;

  constructor() {
    document.getElementById("reasons-close").addEventListener("click", () => this.#dialog.close());
  }

  /** Open the dialog. @param {Edit} edit @param {string} model */
  async show({ wikiId, revId, title, userKind }, model) {
    const asked = ++this.#asked;
    this.#about.replaceChildren(isolated(title ?? ""), ` ${revId}, ${wikiId}, by ${model}`);
    this.#body.replaceChildren("Asking the model …");
    this.#dialog.showModal();
    const found = await ask({ model, wiki_id: wikiId, rev_id: String(revId) }, userKind);
    if (asked === this.#asked) this.#body.replaceChildren(...found);
  }
}

async function ask(query, userKind) {
  try {
    const answer = await fetch(`reasons?${new URLSearchParams(query)}`, {
      signal: AbortSignal.timeout(ANSWER_WITHIN_MILLISECONDS),
    });
    const document = await answer.json();
    return answer.ok ? told(document, userKind) : [`There are no reasons: ${document.error}.`];
  } catch {
    return ["There are no reasons: the gate does not answer."];
  }
}

function told({ probability, reasons, changes }, userKind) {
  const facts = factsOf(reasons, userKind).slice(0, MOST_FACTS);
  const greatest = Math.max(...facts.map(({ amount }) => Math.abs(amount)));
  return [
    element("p", {}, [
      `Risk ${probability.toFixed(3)}, ${bandOf(probability)}. What moved it most, compared with the average edit:`,
    ]),
    element("ul", { className: "facts" }, facts.map((fact) => factRow(fact, greatest))),
    ...(changes.length ? [element("h3", {}, ["What weighed most in the text"])] : []),
    ...changes.map(change),
    numbers(reasons.slice(0, MOST_NUMBERS)),
  ];
}

const direction = (amount) => (amount < 0 ? "lowers" : "raises");

function effect(amount) {
  return element("span", { className: "effect" }, [
    element("span", { ariaHidden: "true" }, [amount < 0 ? "▼ " : "▲ "]),
    `${direction(amount)} the risk`,
  ]);
}

function factRow({ words, amount }, greatest) {
  return element("li", { className: direction(amount) }, [
    element("span", { className: "words" }, [words]),
    bar(Math.abs(amount) / greatest),
    effect(amount),
  ]);
}

function change({ removed, inserted, weight }) {
  return element("p", { className: `change ${direction(weight)}` }, [
    ...(removed ? [element("del", { dir: "auto" }, [removed])] : []),
    ...(inserted ? [element("ins", { dir: "auto" }, [inserted])] : []),
    effect(weight),
  ]);
}

/** The same for who wants to know it exactly: each feature by itself. */
function numbers(reasons) {
  return element("details", { className: "numbers" }, [
    element("summary", {}, ["Numbers"]),
    element("p", { className: "dim" }, ["What each feature added to the log-odds, compared with the average edit."]),
    element("table", {}, [
      element("thead", {}, [element("tr", {}, ["feature", "value", "log-odds"].map(head))]),
      element("tbody", {}, reasons.map(numberRow)),
    ]),
  ]);
}

const head = (name) => element("th", { scope: "col" }, [name]);

function numberRow({ name, value, amount }) {
  const [meaning, unit] = meaningOf(name);
  const shown = value === null ? "not known" : `${Number(value.toPrecision(3)).toLocaleString("en")} ${unit}`;
  return element("tr", {}, [
    element("th", { scope: "row" }, [meaning]),
    element("td", {}, [unit === "0 or 1" && value !== null ? (value ? "yes" : "no") : shown]),
    element("td", {}, [`${amount < 0 ? "−" : "+"}${Math.abs(amount).toFixed(2)}`]),
  ]);
}
