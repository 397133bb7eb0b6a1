/**
 * What comes from the gate: predictions by EventSource, counts and refusals by polling.
 *
 * An EventSource resumes by itself after a cut. A gate that was started or emptied anew has another epoch:
 * then both are begun again, because offsets and sequence numbers begin again too.
 */

const POLL_MILLISECONDS = 500;
const ANSWER_WITHIN_MILLISECONDS = 5000;

/**
 * @typedef {object} Listener
 * @property {(diffBase: ?string, wikis: Object<string, string[]>) => void} onBegin the gate is new, or the page is:
 *   forget what was shown; `wikis` are those of each model that does not serve all
 * @property {(models: string[]) => void} onExplains these models can be asked for reasons
 * @property {(event: unknown) => void} onPrediction
 * @property {(refusals: unknown[]) => void} onRefusals
 * @property {(accepted: number, refused: number) => void} onCounts
 * @property {(state: "connecting" | "live" | "lost" | "no-streams") => void} onState
 */

export class Feed {
  #listener;
  #epoch = "";
  #after = 0;
  #streamUrl = null;
  #source = null;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
    // A page that is kept for the Back button would keep its connection, of which a browser has six a host.
    addEventListener("pagehide", () => this.#close());
  }

  /** Follow the gate as long as the page is there. */
  async follow() {
    for (;;) {
      const answer = await this.#poll();
      if (answer !== null) {
        this.#take(answer);
        this.#keepOpen();
      }
      this.#listener.onState(answer === null ? "lost" : this.#state());
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
    }
  }

  /** Ask for what is new; null if the gate does not tell. */
  async #poll() {
    const query = new URLSearchParams({ epoch: this.#epoch, after: String(this.#after) });
    try {
      const answer = await fetch(`live?${query}`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MILLISECONDS) });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null; // it is gone, or something else answers in its place
    }
  }

  #take(answer) {
    this.#listener.onExplains(answer.explains);
    if (answer.epoch !== this.#epoch) {
      this.#epoch = answer.epoch;
      this.#close();
      this.#streamUrl = answer.streams.length
        ? `../v2/stream/${answer.streams.map(encodeURIComponent).join(",")}?since=${answer.since}`
        : null;
      this.#listener.onBegin(answer.diff_base, answer.wikis);
    }
    this.#after = answer.next_after;
    this.#listener.onCounts(answer.accepted, answer.refused);
    if (answer.refusals.length) this.#listener.onRefusals(answer.refusals);
  }

  #keepOpen() {
    // A browser tries again after a cut, but gives up for good after an answer that is no stream.
    if (this.#source?.readyState === EventSource.CLOSED) this.#close();
    if (this.#source !== null || this.#streamUrl === null) return;
    this.#source = new EventSource(this.#streamUrl);
    this.#source.onopen = () => this.#listener.onState(this.#state());
    this.#source.onmessage = (message) => this.#listener.onPrediction(JSON.parse(message.data));
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #state() {
    if (this.#streamUrl === null) return "no-streams";
    return this.#source?.readyState === EventSource.OPEN ? "live" : "connecting";
  }
}
