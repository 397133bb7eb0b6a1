/** The rate of a count, from its value some seconds ago. */

const WINDOW_MILLISECONDS = 10_000;

export class Rate {
  /** @type {{at: number, count: number}[]} oldest first; the first is the one to compare with */
  #samples = [];

  /**
   * Note a count.
   * @param {number} count
   * @param {number} at milliseconds of a clock that never goes back
   * @returns {?number} growth per second; null until a second is known
   */
  note(count, at) {
    this.#samples.push({ at, count });
    while (this.#samples.length > 1 && this.#samples[1].at <= at - WINDOW_MILLISECONDS) this.#samples.shift();
    const first = this.#samples[0];
    const seconds = (at - first.at) / 1000;
    return seconds < 1 ? null : (count - first.count) / seconds;
  }

  /** Start again. */
  clear() {
    this.#samples = [];
  }
}
