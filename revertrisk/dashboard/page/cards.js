/** The list of edits: one card for each, in the server's order. All content of events becomes text, never HTML. */

import { absent, element, isolated, unseen } from "./elements.js";
import { LANGUAGE, momentOf, say } from "./messages.js";
import { riskOf } from "./risk.js";
import { whyButton } from "./why_button.js";

/**
 * @typedef {object} Card
 * @property {string} key
 * @property {string} wikiId
 * @property {number} revId
 * @property {?string} title
 * @property {string} madeAt
 * @property {number} risk
 * @property {number} threshold
 * @property {string} version of the model
 * @property {string} userKind
 * @property {string} link address of the diff
 */

const AGES = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const UNITS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];
const UPDATE_AGES_EVERY_MILLISECONDS = 15_000;

export class Cards {
  #list = document.getElementById("cards");
  /** @type {Map<string, {card: Card, item: HTMLElement}>} */
  #shown = new Map();
  #model = "";
  #explains = new Set();
  #onWhy;

  /** @param {(edit: Card, model: string) => void} onWhy called when the button Why is pressed */
  constructor(onWhy) {
    this.#onWhy = onWhy;
    setInterval(() => this.#updateAges(), UPDATE_AGES_EVERY_MILLISECONDS);
  }

  /** The number of cards. @returns {number} */
  get size() {
    return this.#shown.size;
  }

  /** The keys of the cards, first to last. */
  keys() {
    return [...this.#list.children].map((item) => item.dataset.key);
  }

  /** Set the model whose risks are shown. @param {string} model @param {string[]} explains models that have reasons */
  show(model, explains) {
    const same = model === this.#model && explains.join() === [...this.#explains].join();
    [this.#model, this.#explains] = [model, new Set(explains)];
    if (!same) for (const [key, { card }] of this.#shown) this.#put(key, card, false);
  }

  /**
   * Show these cards and no others; return how many were added and removed.
   * @param {Map<string, Card>} cards in order
   * @param {boolean} isFirst whether this is the first list, whose cards are not marked as new
   */
  replace(cards, isFirst) {
    let [added, removed] = [0, 0];
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.closest("li") : null;
    const neighbour = focused?.nextElementSibling ?? focused?.previousElementSibling ?? null;
    for (const [key, { item }] of this.#shown) {
      if (cards.has(key)) continue;
      item.remove();
      this.#shown.delete(key);
      removed += 1;
    }
    for (const [key, card] of cards) {
      const known = this.#shown.get(key);
      if (known?.card === card) continue;
      if (!known) added += 1;
      this.#put(key, card, !known && !isFirst);
    }
    let place = this.#list.firstElementChild;
    for (const key of cards.keys()) {
      const { item } = this.#shown.get(key);
      if (item === place) place = place.nextElementSibling;
      else this.#list.insertBefore(item, place);
    }
    // If the card with the focus was removed, its neighbour gets the focus.
    if (focused && !focused.isConnected && neighbour?.isConnected) neighbour.querySelector("a")?.focus();
    return { added, removed };
  }

  #put(key, card, isNew) {
    const old = this.#shown.get(key)?.item;
    const hadFocus = old?.contains(document.activeElement);
    const item = this.#item(card);
    item.classList.toggle("new", isNew);
    this.#shown.set(key, { card, item });
    old?.replaceWith(item);
    if (hadFocus) item.querySelector("a")?.focus();
  }

  /** @param {Card} card */
  #item(card) {
    const { wikiId, revId, title, link } = card;
    const about = say("diff-about", { title: title ?? "", rev: String(revId) });
    const item = element("li", { className: "card" }, [
      element("h3", {}, [title === null ? absent(say("no-title")) : isolated(title)]),
      riskOf(card.risk),
      element("p", { className: "dim" }, [isolated(wikiId), " · ", age(card), " · ", say("revision", { rev: String(revId) })]),
      element("div", { className: "actions" }, [
        element("a", { className: "button", href: link, target: "_blank", rel: "noopener noreferrer" }, [
          say("diff"),
          unseen(` ${about}`),
        ]),
        ...(this.#explains.has(this.#model) ? [whyButton(card, this.#model, this.#onWhy)] : []),
      ]),
    ]);
    item.dataset.key = card.key;
    return item;
  }

  #updateAges() {
    for (const { card, item } of this.#shown.values()) item.querySelector("time").textContent = inWords(card.madeAt);
  }
}

/** @param {Card} card */
function age({ madeAt }) {
  return element("time", { dateTime: madeAt, title: momentOf(new Date(madeAt)) }, [inWords(madeAt)]);
}

function inWords(madeAt) {
  let amount = Math.min(0, (new Date(madeAt) - Date.now()) / 1000);
  for (const [unit, many] of UNITS) {
    if (-amount < many) return AGES.format(Math.trunc(amount), unit);
    amount /= many;
  }
}
