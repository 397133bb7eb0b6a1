/** The dialog that says why a model gave a revision its risk. The gate asks the model's server when it is opened. */

import { element, isolated } from "./elements.js";

/** @import { Edit } from "./event_reader.js" */

const ANSWER_WITHIN_MILLISECONDS = 30_000;

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
  async show({ wikiId, revId, title }, model) {
    const asked = ++this.#asked;
    this.#about.replaceChildren(isolated(title ?? ""), ` ${revId}, ${wikiId}, by ${model}`);
    this.#body.replaceChildren("Asking the model …");
    this.#dialog.showModal();
    const found = await ask({ model, wiki_id: wikiId, rev_id: String(revId) });
    if (asked === this.#asked) this.#body.replaceChildren(...found);
  }
}

async function ask(query) {
  try {
    const answer = await fetch(`reasons?${new URLSearchParams(query)}`, {
      signal: AbortSignal.timeout(ANSWER_WITHIN_MILLISECONDS),
    });
    const document = await answer.json();
    return answer.ok ? told(document) : [`There are no reasons: ${document.error}.`];
  } catch {
    return ["There are no reasons: the gate does not answer."];
  }
}

function told({ probability, reasons, changes }) {
  return [
    element("p", {}, [`Risk ${probability.toFixed(3)}. What moved it most, in log-odds, compared with the average edit:`]),
    element("table", {}, [
      element("thead", {}, [element("tr", {}, ["fact", "value", "effect"].map(head))]),
      element("tbody", {}, reasons.map(row)),
    ]),
    ...(changes.length ? [element("h3", {}, ["What weighed most in the text"])] : []),
    ...changes.map(change),
  ];
}

const head = (name) => element("th", { scope: "col" }, [name]);

function row({ name, value, amount }) {
  const effect = `${amount < 0 ? "▼ lowers it" : "▲ raises it"} by ${Math.abs(amount).toFixed(2)}`;
  return element("tr", { className: amount < 0 ? "lowers" : "raises" }, [
    element("th", { scope: "row" }, [name.replaceAll("_", " ")]),
    element("td", {}, [value === null ? "—" : String(Number(value.toPrecision(3)))]),
    element("td", {}, [effect]),
  ]);
}

function change({ removed, inserted }) {
  return element("p", { className: "change" }, [
    ...(removed ? [element("del", { dir: "auto" }, [removed])] : []),
    ...(inserted ? [element("ins", { dir: "auto" }, [inserted])] : []),
  ]);
}
