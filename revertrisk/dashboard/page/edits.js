/** The edits to look at, from the server's feed. */

import { Announcer } from "./announcer.js";
import { Cards } from "./cards.js";
import { momentOf, numberOf, say } from "./messages.js";
import { Reasons } from "./reasons.js";
import { Stream } from "./stream.js";
import { surgeInWords } from "./surges.js";

/** @import { Card } from "./cards.js" */
/** @import { Choice } from "./address.js" */

/**
 * @typedef {object} Message a field that is missing has not changed
 * @property {boolean} [begin] true in the first message
 * @property {Card[]} [put] new or changed cards
 * @property {string[]} [order] the keys of all cards, first to last
 * @property {number} [total] the number of edits, shown or not
 * @property {{edits: number, by_bots: number, in_hours: number}} [reverted]
 * @property {import("./surges.js").Surge[]} [surges] the open ones
 * @property {Object<string, number>} [wikis] the number of edits of each
 * @property {string[]} [models]
 * @property {string} [model] the model that is shown
 * @property {string[]} [explains] models that have reasons
 * @property {{predictions: number, duplicates: number}} received predictions of that model since the server was started
 * @property {?string} as_of the watermark: the time of the newest event
 */

const CHECK_EVERY_MILLISECONDS = 1000;
/** Without a message for this time the connection counts as lost, even if it is open. */
const SILENT_AFTER_MILLISECONDS = 20_000;
const TWO_DIGITS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
const STATES = { connecting: "connecting", live: "live", lost: "server-lost" };

const byId = (id) => document.getElementById(id);

export class Edits {
  #reasons = new Reasons();
  #cards = new Cards((edit, model) => this.#reasons.show(edit, model));
  #announcer = new Announcer(byId("announcer"));
  #stream = new Stream((message) => this.#take(message));
  /** @type {Map<string, Card>} the edits in the latest message, in order */
  #open = new Map();
  /** @type {Partial<Message>} */
  #state = {};
  #receivedAt = 0;
  #isPaused = false;
  #onChoices;

  /** @param {(wikis: Object<string, number>, models: string[], model: string) => void} onChoices called with the wikis and models that can be chosen */
  constructor(onChoices) {
    this.#onChoices = onChoices;
    byId("pause").addEventListener("click", () => this.#pause());
    setInterval(() => {
      this.#stream.keepOpen();
      this.#showState();
    }, CHECK_EVERY_MILLISECONDS);
  }

  /** Connect to the feed for a choice. @param {Choice} choice */
  follow({ wiki, model, order }) {
    this.#stream.follow(`feed?${new URLSearchParams({ wiki, model, order })}`);
  }

  /** @param {Message} message */
  #take(message) {
    this.#receivedAt = performance.now();
    const isFirst = message.begin === true;
    if (isFirst) this.#open = new Map();
    const put = new Map((message.put ?? []).map((card) => [card.key, card]));
    if (message.order) {
      this.#open = new Map(message.order.map((key) => [key, put.get(key) ?? this.#open.get(key)]));
    }
    this.#state = { ...(isFirst ? {} : this.#state), ...message };
    if (message.wikis || message.models || message.model !== undefined) {
      this.#onChoices(this.#state.wikis, this.#state.models, this.#state.model);
    }
    if (message.surges) byId("surges").replaceChildren(...message.surges.map(surgeInWords));
    this.#show(isFirst);
    this.#showState();
  }

  #show(isFirst = false) {
    const { model, explains, total, reverted, received, as_of: asOf } = this.#state;
    this.#cards.show(model, explains);
    // While paused no card is added, but cards are still removed.
    const wanted = this.#isPaused
      ? new Map([...this.#cards.keys()].filter((key) => this.#open.has(key)).map((key) => [key, this.#open.get(key)]))
      : this.#open;
    const { added, removed } = this.#cards.replace(wanted, isFirst);
    if (!isFirst) {
      this.#announcer.note("new", added);
      this.#announcer.note("removed", removed);
    }
    const waiting = [...this.#open.keys()].filter((key) => !wanted.has(key)).length;
    byId("waiting").textContent = this.#isPaused ? say("waiting", { n: waiting }) : "";
    byId("edits-heading").textContent = say("open-edits", { n: total });
    byId("empty").hidden = this.#cards.size > 0;
    byId("reverted").textContent = say("reverted-by-bots", {
      n: reverted.edits,
      bots: reverted.by_bots,
      hours: reverted.in_hours,
    });
    byId("received").textContent = model
      ? say("received", { n: received.predictions, model, duplicates: received.duplicates })
      : "";
    byId("about").textContent = this.#about(total);
    byId("as-of").textContent = asOf === null ? "" : say("as-of", { time: momentOf(new Date(asOf)) });
  }

  #about(total) {
    const thresholds = [...this.#open.values()].map(({ threshold }) => numberOf(threshold, TWO_DIGITS));
    if (!thresholds.length) return "";
    const shown = this.#open.size < total ? ` (${say("first-shown", { n: this.#open.size })})` : "";
    return say("over", { threshold: [...new Set(thresholds)].sort().join(" / ") }) + shown;
  }

  #pause() {
    this.#isPaused = !this.#isPaused;
    byId("pause").setAttribute("aria-pressed", String(this.#isPaused));
    this.#show();
  }

  #showState() {
    const isSilent = performance.now() - this.#receivedAt > SILENT_AFTER_MILLISECONDS;
    const state = this.#stream.isOpen && !isSilent ? "live" : this.#receivedAt ? "lost" : "connecting";
    const connection = byId("connection");
    if (connection.dataset.state === state) return; // each write to a live region is announced
    connection.dataset.state = state;
    connection.textContent = say(STATES[state]);
  }
}
