/** The edits to look at, from the server's feed. */

import { Announcer } from "./announcer.js";
import { Cards } from "./cards.js";
import { momentOf, numberOf, say, timeOf } from "./messages.js";
import { Reasons } from "./reasons.js";
import { Stream } from "./stream.js";
import { isLowThreshold } from "./risk.js";
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
 * @property {Object<string, string>} [gone] why cards are no longer in the order: reverted or removed
 * @property {{state: string, since: ?string}} [source] what still arrives: live, source-lost, no-edits, no-predictions or no-changes
 * @property {?number} [threshold] of the chosen wiki and model; null if each wiki has its own
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
/** The message for each kind of event that no longer arrives. */
const STALE = {
  "source-lost": "source-lost",
  "no-edits": "no-edits-since",
  "no-predictions": "no-predictions-since",
  "no-changes": "no-changes-since",
};

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
  #url = "";
  #choice = { wiki: "", user: "" };
  /** Whether no list of the present choice was shown yet. */
  #isNewChoice = true;
  #onChoices;

  /** @param {(wikis: Object<string, number>, models: string[], model: string) => void} onChoices called with the wikis and models that can be chosen */
  constructor(onChoices) {
    this.#onChoices = onChoices;
    byId("pause").addEventListener("click", () => this.#pause());
    byId("show-new").addEventListener("click", () => this.#showNew());
    byId("reasons-diff").addEventListener("click", () => this.#cards.noteOpened(this.#reasons.key));
    byId("reasons").addEventListener("close", ({ target }) => {
      const { activeElement: focused, body } = document;
      if (focused === body || target.contains(focused)) byId("edits-heading").focus(); // the card is gone
    });
    setInterval(() => {
      this.#stream.keepOpen();
      this.#showState();
    }, CHECK_EVERY_MILLISECONDS);
  }

  /** Connect to the feed for a choice. @param {Choice} choice */
  follow({ wiki, model, order, user }) {
    const url = `feed?${new URLSearchParams({ wiki, model, order, user })}`;
    if (url === this.#url) return;
    [this.#url, this.#choice, this.#isNewChoice] = [url, { wiki, user }, true];
    this.#stream.follow(url);
  }

  /** @param {Message} message */
  #take(message) {
    this.#receivedAt = performance.now();
    const isBegin = message.begin === true;
    const isFirst = isBegin && this.#isNewChoice;
    const before = this.#open;
    if (isBegin) this.#open = new Map();
    if (isFirst) this.#isNewChoice = false;
    const put = new Map((message.put ?? []).map((card) => [card.key, card]));
    if (message.order) {
      this.#open = new Map(message.order.map((key) => [key, put.get(key) ?? this.#open.get(key)]));
    }
    this.#state = { ...(isBegin ? {} : this.#state), ...message };
    if (message.wikis || message.models || message.model !== undefined) {
      this.#onChoices(this.#state.wikis, this.#state.models, this.#state.model);
    }
    if (message.surges) byId("surges").replaceChildren(...message.surges.map(surgeInWords));
    // After a lost connection the reason is not known.
    const whyGone = (key) => message.gone?.[key] ?? (isBegin ? "removed" : null);
    for (const key of before.keys()) {
      if (!this.#open.has(key) && whyGone(key) !== null) this.#reasons.noteGone(key, whyGone(key));
    }
    this.#show(isFirst ? "first" : "", whyGone, [...this.#open.keys()].filter((key) => !before.has(key)));
    this.#showState();
  }

  /**
   * Show the cards. New ones wait while there are others, so that no card moves under a finger.
   * @param {"" | "first" | "all"} how "first" for the first list of a choice; with "all", none waits
   * @param {(key: string) => ?string} whyGone
   * @param {string[]} added the keys of new cards
   */
  #show(how = "", whyGone = () => null, added = []) {
    const { model, explains, total, reverted, received, as_of: asOf } = this.#state;
    this.#cards.show(model, explains);
    const waits = how === "" && (this.#isPaused || this.#cards.size > 0);
    const wanted = waits ? this.#withoutNew() : this.#open;
    const removed = this.#cards.replace(wanted, how === "first", whyGone);
    const waiting = this.#open.size - wanted.size;
    if (how !== "first") {
      this.#announcer.note("removed", removed);
      this.#announcer.note("new", added.filter((key) => !waits || !wanted.has(key)).length);
    }
    byId("show-new").hidden = this.#isPaused || waiting === 0;
    byId("show-new").textContent = say("show-new", { n: waiting });
    byId("pause").textContent = this.#isPaused ? say("resume", { n: waiting }) : say("pause");
    byId("edits-heading").textContent = say("open-edits", { n: total });
    byId("empty").hidden = this.#cards.size > 0;
    byId("empty").textContent = this.#whyEmpty();
    byId("opened-about").hidden = this.#cards.size === 0;
    byId("reverted").textContent = this.#choice.user ? "" : say("reverted-by-bots", {
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

  /** The cards that are shown and still open, and those after the last of them, which move no other. */
  #withoutNew() {
    const shown = this.#cards.keys().filter((key) => this.#open.has(key));
    const order = [...this.#open.keys()];
    const after = shown.length ? order.slice(Math.max(...shown.map((key) => order.indexOf(key))) + 1) : [];
    return new Map([...shown, ...after].map((key) => [key, this.#open.get(key)]));
  }

  #about(total) {
    const found = [...this.#open.values()].map(({ threshold }) => threshold);
    if (!found.length) return "";
    const thresholds = [...new Set(found.map((threshold) => numberOf(threshold, TWO_DIGITS)))].sort();
    const parts = [say("over", { threshold: thresholds.join(" / ") })];
    if (found.some(isLowThreshold)) parts.push(say("threshold-low"));
    if (this.#open.size < total) parts.push(`(${say("first-shown", { n: this.#open.size })})`);
    return parts.join(" ");
  }

  #whyEmpty() {
    const { wikis, model, threshold } = this.#state;
    const { wiki } = this.#choice;
    if (wiki && model && !(wiki in wikis)) return say("wiki-not-known", { wiki });
    return threshold === null
      ? say("nothing-open")
      : say("nothing-over", { threshold: numberOf(threshold, TWO_DIGITS) });
  }

  #showNew() {
    this.#cards.clear();
    this.#show("all");
    byId("edits-heading").focus();
  }

  #pause() {
    this.#isPaused = !this.#isPaused;
    byId("pause").classList.toggle("active", this.#isPaused);
    this.#show(this.#isPaused ? "" : "all");
    this.#showState();
  }

  #showState() {
    const [state, text] = this.#connection();
    const connection = byId("connection");
    if (connection.dataset.state === state && connection.textContent === text) return; // each write to a live region is announced
    connection.dataset.state = state;
    connection.textContent = text;
  }

  /** The state of the connection, and its words. */
  #connection() {
    if (!this.#receivedAt) return ["connecting", say("connecting")];
    const isSilent = performance.now() - this.#receivedAt > SILENT_AFTER_MILLISECONDS;
    if (!this.#stream.isOpen || isSilent) return ["lost", say("server-lost")];
    const { state, since } = this.#state.source;
    if (state !== "live") return ["stale", since ? say(STALE[state], { time: timeOf(new Date(since)) }) : say("no-edits-yet")];
    return this.#isPaused ? ["paused", say("paused")] : ["live", say("live")];
  }
}
