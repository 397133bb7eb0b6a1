/** What a screen reader is told: a sum of what came, never more often than it can be listened to. */

import { say } from "./messages.js";

const PAUSE_MILLISECONDS = 8000;

export class Announcer {
  #element;
  /** @type {Map<string, number>} how many of each kind */
  #counts = new Map();
  #timer = null;

  /** @param {HTMLElement} element a polite live region */
  constructor(element) {
    this.#element = element;
  }

  /** Tell of something, now or when the pause is over. @param {string} kind a message `announce-…` */
  note(kind, number = 1) {
    if (number === 0) return;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + number);
    this.#timer ??= setTimeout(() => this.#speak());
  }

  #speak() {
    const parts = [...this.#counts].map(([kind, n]) => say(`announce-${kind}`, { n }));
    if (parts.length) this.#element.textContent = `${parts.join(", ")}.`;
    this.#timer = parts.length ? setTimeout(() => this.#speak(), PAUSE_MILLISECONDS) : null;
    this.#counts.clear();
  }
}
