/** What a screen reader is told: a sum of what came, never more often than it can be listened to. */

const PAUSE_MILLISECONDS = 8000;

export class Announcer {
  #element;
  #predictions = 0;
  #refused = 0;
  #timer = null;

  /** @param {HTMLElement} element a polite live region */
  constructor(element) {
    this.#element = element;
  }

  /** Tell of what was shown, now or when the pause is over. @param {"prediction" | "refusal"} kind */
  note(kind) {
    if (kind === "refusal") this.#refused += 1;
    else this.#predictions += 1;
    this.#timer ??= setTimeout(() => this.#speak());
  }

  #speak() {
    const parts = [];
    if (this.#predictions) parts.push(`${this.#predictions} new ${this.#predictions === 1 ? "prediction" : "predictions"}`);
    if (this.#refused) parts.push(`${this.#refused} ${this.#refused === 1 ? "event" : "events"} refused`);
    if (parts.length) this.#element.textContent = `${parts.join(", ")}.`;
    this.#timer = parts.length ? setTimeout(() => this.#speak(), PAUSE_MILLISECONDS) : null;
    this.#predictions = this.#refused = 0;
  }
}
