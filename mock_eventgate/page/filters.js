/** The filters: the form's fields, and whether an entry passes them. */

import { offerOption } from "./choices.js";
import { numberOf, say } from "./messages.js";

/** @import { Entry } from "./entries.js" */

const TWO_DIGITS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };

export class Filters {
  #form = document.getElementById("filters");
  #kind = document.getElementById("filter-kind");
  #wiki = document.getElementById("filter-wiki");
  #model = document.getElementById("filter-model");
  #risk = document.getElementById("filter-risk");
  #riskShown = document.getElementById("filter-risk-shown");
  #fold = document.getElementById("filter-fold");
  #foldNote = document.getElementById("filter-fold-note");

  /** @param {() => void} onChange */
  constructor(onChange) {
    const changed = () => {
      this.#showState();
      onChange();
    };
    this.#form.addEventListener("input", changed);
    this.#form.addEventListener("reset", () => setTimeout(changed)); // the fields change after the event
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#showState(); // a browser can keep a field's value when the page is reloaded
    const wide = matchMedia("(min-width: 48.01rem)"); // the width from which the style sheet has no cards
    const fold = () => { this.#fold.open = wide.matches; };
    wide.addEventListener("change", fold);
    fold();
  }

  /** Add the wikis and models of an entry to the choices. @param {Entry} entry */
  offer(entry) {
    offerOption(this.#wiki, entry.edit.wikiId);
    const models = entry.kind === "refusal" ? [entry.model] : entry.scores.keys();
    for (const model of models) offerOption(this.#model, model);
  }

  /** The selected model; empty for all. @returns {string} */
  get model() {
    return this.#model.value;
  }

  /**
   * Return whether an entry passes the filters. A refused event stays if its wiki or model is not known, and for any
   * minimal risk, since it has no risk.
   * @param {Entry} entry
   * @returns {boolean}
   */
  wants(entry) {
    const [kind, wiki, model] = [this.#kind.value, this.#wiki.value, this.#model.value];
    if (kind && entry.kind !== kind) return false;
    const isRefusal = entry.kind === "refusal";
    if (wiki && entry.edit.wikiId !== wiki && !(isRefusal && entry.edit.wikiId === null)) return false;
    if (isRefusal) return !model || entry.model === null || entry.model === model;
    const least = Number(this.#risk.value);
    const scores = [...entry.scores.values()].filter((score) => !model || score.model === model);
    if (model && scores.length === 0) return false;
    return least === 0 || scores.some((score) => score.risk !== null && score.risk >= least);
  }

  #showState() {
    this.#riskShown.textContent = numberOf(Number(this.#risk.value), TWO_DIGITS);
    const fields = [this.#kind.value, this.#wiki.value, this.#model.value, Number(this.#risk.value)];
    const active = fields.filter(Boolean).length;
    this.#foldNote.textContent = active ? ` ${say("filters-active", { n: active })}` : "";
  }
}
