/** The edits to look at, as the server's feed tells them. */

import { Announcer } from "./announcer.js";
import { Cards } from "./cards.js";
import { momentOf, numberOf, say } from "./messages.js";
import { Reasons } from "./reasons.js";
import { Stream } from "./stream.js";
import { surgeInWords } from "./surges.js";

/** @import { Card } from "./cards.js" */
/** @import { Choice } from "./address.js" */

/**
 * @typedef {object} Message what it does not have is as it was
 * @property {boolean} [begin] forget what was
 * @property {Card[]} [put] new or changed cards
 * @property {string[]} [order] the keys of all cards, first to last
 * @property {number} [total] how many there are, shown or not
 * @property {{edits: number, by_bots: number, in_hours: number}} [reverted]
 * @property {import("./surges.js").Surge[]} [surges] those that are open
 * @property {Object<string, number>} [wikis] how many edits each has
 * @property {string[]} [models]
 * @property {string} [model] the one that is shown
 * @property {string[]} [explains] models that can be asked for reasons
 * @property {{predictions: number, again: number}} came predictions of that model since the server was started
 * @property {?string} as_of how far the streams are
 */

const LOOK_MILLISECONDS = 1000;
/** A server that tells nothing for so long is gone, whatever the connection looks like. */
const SILENT_MILLISECONDS = 20_000;
const TWO_DIGITS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
const STATES = { connecting: "connecting", live: "live", lost: "server-lost" };

const byId = (id) => document.getElementById(id);

export class Edits {
  #reasons = new Reasons();
  #cards = new Cards((edit, model) => this.#reasons.show(edit, model));
  #announcer = new Announcer(byId("announcer"));
  #stream = new Stream((message) => this.#take(message));
  /** @type {Map<string, Card>} what the server says is to be looked at, in order */
  #open = new Map();
  /** @type {Partial<Message>} */
  #told = {};
  #heardAt = 0;
  #isPaused = false;
  #onChoices;

  /** @param {(wikis: Object<string, number>, models: string[], model: string) => void} onChoices what can be chosen */
  constructor(onChoices) {
    this.#onChoices = onChoices;
    byId("pause").addEventListener("click", () => this.#pause());
    setInterval(() => {
      this.#stream.keepOpen();
      this.#showState();
    }, LOOK_MILLISECONDS);
  }

  /** Follow what is chosen. @param {Choice} choice */
  follow({ wiki, model, order }) {
    this.#stream.follow(`feed?${new URLSearchParams({ wiki, model, order })}`);
  }

  /** @param {Message} message */
  #take(message) {
    this.#heardAt = performance.now();
    const isFirst = message.begin === true;
    if (isFirst) this.#open = new Map();
    const put = new Map((message.put ?? []).map((card) => [card.key, card]));
    if (message.order) {
      this.#open = new Map(message.order.map((key) => [key, put.get(key) ?? this.#open.get(key)]));
    }
    this.#told = { ...(isFirst ? {} : this.#told), ...message };
    if (message.wikis || message.models || message.model !== undefined) {
      this.#onChoices(this.#told.wikis, this.#told.models, this.#told.model);
    }
    if (message.surges) byId("surges").replaceChildren(...message.surges.map(surgeInWords));
    this.#show(isFirst);
    this.#showState();
  }

  #show(isFirst = false) {
    const { model, explains, total, reverted, came, as_of: asOf } = this.#told;
    this.#cards.show(model, explains);
    // While paused nothing comes, but what has left is not kept.
    const wanted = this.#isPaused
      ? new Map([...this.#cards.keys()].filter((key) => this.#open.has(key)).map((key) => [key, this.#open.get(key)]))
      : this.#open;
    const { added, left } = this.#cards.replace(wanted, isFirst);
    if (!isFirst) {
      this.#announcer.note("new", added);
      this.#announcer.note("left", left);
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
    byId("came").textContent = model ? say("came", { n: came.predictions, model, again: came.again }) : "";
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
    const isSilent = performance.now() - this.#heardAt > SILENT_MILLISECONDS;
    const state = this.#stream.isOpen && !isSilent ? "live" : this.#heardAt ? "lost" : "connecting";
    const connection = byId("connection");
    if (connection.dataset.state === state) return; // a live region speaks whenever it is written to
    connection.dataset.state = state;
    connection.textContent = say(STATES[state]);
  }
}
