/** The dialog with the reasons for a risk. They are requested from the model's server when it is opened. */

import { element, isolated } from "./elements.js";
import { factsOf, meaningOf } from "./facts.js";
import { numberOf, say } from "./messages.js";
import { bandOf, bar, hasWord, riskNumber } from "./risk.js";

/**
 * @typedef {object} ExplainedEdit
 * @property {string} [key] identifies it in a list that can change
 * @property {string} wikiId
 * @property {number} revId
 * @property {?string} title
 * @property {string} userKind
 * @property {?string} link address of the diff
 * @property {number} [threshold] of the list
 */

const ANSWER_WITHIN_MILLISECONDS = 30_000;
const MAX_FACTS = 6;
const MAX_NUMBERS = 12;
/** The log-odds that fill a bar; bars of different edits can be compared. */
const FULL_BAR = 2;
const TWO_DIGITS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };

export class Reasons {
  #dialog = document.getElementById("reasons");
  #about = document.getElementById("reasons-about");
  #body = document.getElementById("reasons-body");
  /** Counts requests: an answer is ignored if a later request was sent. */
  #asked = 0;
  #diff = document.getElementById("reasons-diff");
  #key = null;
  /** What happened to the edit while the dialog is open. */
  #meanwhile = [];
  /** Settled when the history is back at the entry before the dialog's. */
  #isLeft = Promise.resolve();

  constructor() {
    document.getElementById("reasons-close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog && !isInside(this.#dialog, event)) this.#dialog.close();
    });
    // The dialog has an entry in the history, so that Back closes it and does not change the page below.
    this.#dialog.addEventListener("close", () => {
      if (!history.state?.isDialog) return;
      this.#isLeft = new Promise((resolve) => addEventListener("popstate", resolve, { once: true }));
      history.back();
    });
    addEventListener("popstate", () => this.#dialog.close());
    if (history.state?.isDialog) history.replaceState(null, ""); // the page was loaded again
  }

  /** The key of the edit that was explained last. */
  get key() {
    return this.#key;
  }

  /** Open the dialog. @param {ExplainedEdit} edit @param {string} model */
  async show({ key, wikiId, revId, title, userKind, link, threshold }, model) {
    const asked = ++this.#asked;
    await this.#isLeft;
    [this.#key, this.#meanwhile] = [key ?? null, []];
    this.#about.replaceChildren(isolated(title ?? ""), ` ${say("about-edit", { rev: String(revId), wiki: wikiId, model })}`);
    this.#body.replaceChildren(say("asking"));
    this.#diff.hidden = !link;
    this.#diff.href = link ?? "";
    history.pushState({ isDialog: true }, "");
    this.#dialog.showModal();
    const found = await ask({ model, wiki_id: wikiId, rev_id: String(revId) }, userKind, threshold);
    if (asked === this.#asked) this.#body.replaceChildren(...this.#meanwhile, ...found);
  }

  /** Note that an edit is gone from the list. @param {string} key @param {"reverted" | "removed"} why */
  noteGone(key, why) {
    if (key !== this.#key || !this.#dialog.open) return;
    this.#meanwhile = [element("p", { className: "note" }, [say(`meanwhile-${why}`)])];
    if (why === "reverted") {
      this.#body.prepend(...this.#meanwhile);
      return;
    }
    this.#asked += 1; // its text can be hidden, so an answer is ignored
    this.#about.replaceChildren();
    this.#body.replaceChildren(...this.#meanwhile);
    this.#diff.hidden = true;
  }
}

function isInside(dialog, { clientX, clientY }) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}

async function ask(query, userKind, threshold) {
  try {
    const answer = await fetch(`reasons?${new URLSearchParams(query)}`, {
      signal: AbortSignal.timeout(ANSWER_WITHIN_MILLISECONDS),
    });
    const document = await answer.json();
    return answer.ok ? contentOf(document, userKind, threshold) : [say("no-reasons", { reason: String(document.error) })];
  } catch {
    return [say("no-reasons", { reason: say("no-answer") })];
  }
}

function contentOf({ probability, reasons, changes }, userKind, threshold) {
  const facts = factsOf(reasons, userKind).slice(0, MAX_FACTS);
  // Facts about the user are never shown as the only reasons.
  if (facts.every(({ isOfAccount }) => isOfAccount)) return [say("only-account")];
  const risk = riskNumber(probability);
  return [
    element("p", {}, [
      hasWord(probability, threshold)
        ? say("facts-heading", { risk, band: say(`risk-${bandOf(probability)}`) })
        : say("facts-heading-listed", { risk }),
    ]),
    element("ul", { className: "facts" }, facts.map(factRow)),
    ...(changes.length ? [element("h3", {}, [say("changes-heading")])] : []),
    ...changes.map(change),
    numbers(reasons.slice(0, MAX_NUMBERS)),
  ];
}

const direction = (amount) => (amount < 0 ? "lowers" : "raises");

function effect(amount, words = say(direction(amount))) {
  return element("span", { className: "effect" }, [
    element("span", { ariaHidden: "true" }, [amount < 0 ? "▼ " : "▲ "]),
    words,
  ]);
}

function factRow({ words, amount }) {
  return element("li", { className: direction(amount) }, [
    element("span", { className: "words" }, [words]),
    bar(Math.min(1, Math.abs(amount) / FULL_BAR)),
    effect(amount),
  ]);
}

function change({ removed, inserted, weight }) {
  return element("p", { className: `change ${direction(weight)}` }, [
    ...(removed ? [element("del", { dir: "auto" }, [removed])] : []),
    ...(inserted ? [element("ins", { dir: "auto" }, [inserted])] : []),
    effect(weight, say(`${inserted ? (removed ? "changing" : "adding") : "removing"}-${direction(weight)}`)),
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
