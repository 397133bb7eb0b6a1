/**
 * Gets data from the gate: predictions by EventSource, counts and refusals by polling.
 *
 * An EventSource resumes itself after a disconnect. A gate that was restarted or emptied has another epoch. Then both
 * start again, because offsets and sequence numbers start again too.
 */

import { Stream } from "./stream.js";

const POLL_MILLISECONDS = 500;
const ANSWER_WITHIN_MILLISECONDS = 5000;

/**
 * @typedef {object} Listener
 * @property {(diffBase: ?string, wikis: Object<string, string[]>) => void} onBegin the gate or the page is new: remove
 *   all entries; `wikis` are those of each model that does not serve all wikis
 * @property {(models: string[]) => void} onExplains the models for which there are reasons
 * @property {(event: unknown) => void} onPrediction
 * @property {(refusals: unknown[]) => void} onRefusals
 * @property {(accepted: number, refused: number) => void} onCounts
 * @property {(state: "connecting" | "live" | "lost" | "no-streams") => void} onState
 */

export class Feed {
  #listener;
  #epoch = "";
  #after = 0;
  #hasStreams = false;
  #stream;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
    this.#stream = new Stream(listener.onPrediction, () => listener.onState(this.#state()));
  }

  /** Follow the gate as long as the page is open. */
  async follow() {
    for (;;) {
      const answer = await this.#poll();
      if (answer !== null) {
        this.#take(answer);
        this.#stream.keepOpen();
      }
      this.#listener.onState(answer === null ? "lost" : this.#state());
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
    }
  }

  /** Get new data; null if the gate does not answer. */
  async #poll() {
    const query = new URLSearchParams({ epoch: this.#epoch, after: String(this.#after) });
    try {
      const answer = await fetch(`live?${query}`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MILLISECONDS) });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null; // the gate is not there, or another server answers
    }
  }

  #take(answer) {
    this.#listener.onExplains(answer.explains);
    if (answer.epoch !== this.#epoch) {
      this.#epoch = answer.epoch;
      this.#hasStreams = answer.streams.length > 0;
      this.#listener.onBegin(answer.diff_base, answer.wikis);
      this.#stream.follow(this.#hasStreams
        ? `../v2/stream/${answer.streams.map(encodeURIComponent).join(",")}?since=${answer.since}`
        : null);
    }
    this.#after = answer.next_after;
    this.#listener.onCounts(answer.accepted, answer.refused);
    if (answer.refusals.length) this.#listener.onRefusals(answer.refusals);
  }

  #state() {
    if (!this.#hasStreams) return "no-streams";
    return this.#stream.isOpen ? "live" : "connecting";
  }
}
