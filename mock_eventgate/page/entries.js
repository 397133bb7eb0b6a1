/**
 * The entries of the page: one for each revision with the scores of all models, and one for each refused event.
 * Their number is limited; the oldest are dropped first.
 */

/** @import { Edit, Prediction, Refusal, Score } from "./event_reader.js" */

/**
 * @typedef {object} RevisionEntry
 * @property {"prediction"} kind
 * @property {string} key
 * @property {string} time when its first prediction was received
 * @property {Edit} edit
 * @property {Map<string, Score>} scores by model
 */
/** @typedef {Refusal & {key: string}} RefusalEntry */
/** @typedef {RevisionEntry | RefusalEntry} Entry */

/** The most entries that are kept for the filters; fewer are shown. */
export const MAX_ENTRIES = 5000;

export class Entries {
  /** @type {Map<string, Entry>} oldest first */
  #entries = new Map();
  #refusals = 0;
  #withoutRevision = 0;

  /**
   * Add what was read; a prediction goes to the entry of its revision, if there is one.
   * @param {Prediction | Refusal} item
   * @returns {Entry} the entry that is new or changed
   */
  add(item) {
    const entry = item.kind === "refusal" ? { ...item, key: `refusal ${++this.#refusals}` } : this.#revision(item);
    this.#entries.set(entry.key, entry);
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value);
    return entry;
  }

  /** @returns {number} */
  get size() {
    return this.#entries.size;
  }

  /** @returns {Entry[]} newest first */
  newestFirst() {
    return [...this.#entries.values()].reverse();
  }

  #revision({ time, edit, score }) {
    const { wikiId, revId } = edit;
    const key = revId === null ? `event ${++this.#withoutRevision}` : `revision ${revId} ${wikiId}`;
    const entry = this.#entries.get(key) ?? { kind: "prediction", key, time, edit, scores: new Map() };
    // A repeated event, or the score of a newer version, replaces the model's earlier score.
    if (score !== null) entry.scores.set(score.model, score);
    return entry;
  }
}
