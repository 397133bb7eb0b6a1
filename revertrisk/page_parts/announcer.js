/** Announcements for screen readers: counts of what is new, with a pause between them. */

import { say } from "./messages.js";

const PAUSE_MILLISECONDS = 8000;

export class Announcer {
  #element;
  /** @type {Map<string, number>} the count of each kind since the last announcement */
  #counts = new Map();
  #timer = null;

  /** @param {HTMLElement} element a polite live region */
  constructor(element) {
    this.#element = element;
  }

  /** Announce something now, or after the pause. @param {string} kind the message is `announce-KIND` */
  note(kind, number = 1) {
    if (number === 0) return;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + number);
    this.#timer ??= setTimeout(() => this.#announce());
  }

  #announce() {
    const parts = [...this.#counts].map(([kind, n]) => say(`announce-${kind}`, { n }));
    if (parts.length) this.#element.textContent = `${parts.join(", ")}.`;
    this.#timer = parts.length ? setTimeout(() => this.#announce(), PAUSE_MILLISECONDS) : null;
    this.#counts.clear();
  }
}
