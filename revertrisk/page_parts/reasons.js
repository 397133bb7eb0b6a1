/** The dialog with the reasons for a risk. They are requested from the model's server when it is opened. */

import { element, isolated } from "./elements.js";
import { factsOf, meaningOf } from "./facts.js";
import { numberOf, say } from "./messages.js";
import { bandOf, bar, riskNumber } from "./risk.js";

/** @typedef {{wikiId: string, revId: number, title: ?string, userKind: string}} ExplainedEdit */

const ANSWER_WITHIN_MILLISECONDS = 30_000;
const MAX_FACTS = 6;
const MAX_NUMBERS = 12;
const TWO_DIGITS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };

export class Reasons {
  #dialog = document.getElementById("reasons");
  #about = document.getElementById("reasons-about");
  #body = document.getElementById("reasons-body");
  /** Counts requests: an answer is ignored if a later request was sent. */
  #asked = 0;

  constructor() {
    document.getElementById("reasons-close").addEventListener("click", () => this.#dialog.close());
  }

  /** Open the dialog. @param {ExplainedEdit} edit @param {string} model */
  async show({ wikiId, revId, title, userKind }, model) {
    const asked = ++this.#asked;
    this.#about.replaceChildren(isolated(title ?? ""), ` ${say("about-edit", { rev: String(revId), wiki: wikiId, model })}`);
    this.#body.replaceChildren(say("asking"));
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
    return answer.ok ? contentOf(document, userKind) : [say("no-reasons", { reason: String(document.error) })];
  } catch {
    return [say("no-reasons", { reason: say("no-answer") })];
  }
}

function contentOf({ probability, reasons, changes }, userKind) {
  const facts = factsOf(reasons, userKind).slice(0, MAX_FACTS);
  // Facts about the user are never shown as the only reasons.
  if (facts.every(({ isOfAccount }) => isOfAccount)) return [say("only-account")];
  const greatest = Math.max(...facts.map(({ amount }) => Math.abs(amount)));
  return [
    element("p", {}, [
      say("facts-heading", { risk: riskNumber(probability), band: say(`risk-${bandOf(probability)}`) }),
    ]),
    element("ul", { className: "facts" }, facts.map((fact) => factRow(fact, greatest))),
    ...(changes.length ? [element("h3", {}, [say("changes-heading")])] : []),
    ...changes.map(change),
    numbers(reasons.slice(0, MAX_NUMBERS)),
  ];
}

const direction = (amount) => (amount < 0 ? "lowers" : "raises");

function effect(amount) {
  return element("span", { className: "effect" }, [
    element("span", { ariaHidden: "true" }, [amount < 0 ? "▼ " : "▲ "]),
    say(direction(amount)),
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

/** The features with their values and exact amounts, in a table that is closed at first. */
function numbers(reasons) {
  return element("details", { className: "numbers" }, [
    element("summary", {}, [say("numbers")]),
    element("p", { className: "dim" }, [say("numbers-about")]),
    element("table", {}, [
      element("thead", {}, [element("tr", {}, ["feature", "value", "log-odds"].map((key) => head(say(key))))]),
      element("tbody", {}, reasons.map(numberRow)),
    ]),
  ]);
}

const head = (name) => element("th", { scope: "col" }, [name]);

function numberRow({ name, value, amount }) {
  const [meaning, unit] = meaningOf(name);
  const shown = value === null ? say("not-known")
    : `${numberOf(Number(value.toPrecision(3)))} ${unit && say(`unit-${unit}`)}`;
  return element("tr", {}, [
    element("th", { scope: "row" }, [meaning]),
    element("td", {}, [unit === "0 or 1" && value !== null ? say(value ? "yes" : "no") : shown]),
    element("td", {}, [`${amount < 0 ? "−" : "+"}${numberOf(Math.abs(amount), TWO_DIGITS)}`]),
  ]);
}
