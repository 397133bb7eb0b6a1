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
 * @property {boolean} isRevert whether the edit itself reverts earlier ones
 * @property {string} link address of the diff
 */

const AGES = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const UNITS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];
const UPDATE_AGES_EVERY_MILLISECONDS = 15_000;
/** For how long an empty box keeps the place of a card that is gone, so that the cards below do not move at once. */
const KEEP_PLACE_MILLISECONDS = 3000;

export class Cards {
  #list = document.getElementById("cards");
  /** @type {Map<string, {card: Card, item: HTMLElement}>} */
  #shown = new Map();
  #model = "";
  #explains = new Set();
  #onWhy;
  /** The keys of the edits whose diff was opened. */
  #opened = new Set();

  /** @param {(edit: Card, model: string) => void} onWhy called when the button Why is pressed */
  constructor(onWhy) {
    this.#onWhy = onWhy;
    setInterval(() => this.#updateAges(), UPDATE_AGES_EVERY_MILLISECONDS);
    addEventListener("scroll", () => this.clear(), { passive: true });
    for (const name of ["click", "auxclick"]) {
      this.#list.addEventListener(name, ({ target }) => {
        if (target.closest("a")) this.noteOpened(target.closest("li").dataset.key);
      });
    }
  }

  /** The number of cards. @returns {number} */
  get size() {
    return this.#shown.size;
  }

  /** The keys of the cards, first to last. */
  keys() {
    return [...this.#list.querySelectorAll(".card")].map((item) => item.dataset.key);
  }

  /** Dim the card of an edit whose diff was opened. @param {string} key */
  noteOpened(key) {
    if (this.#opened.has(key)) return;
    this.#opened.add(key);
    const item = this.#shown.get(key)?.item;
    item?.classList.add("opened");
    item?.querySelector("p").append(...openedHere());
  }

  /** Set the model whose risks are shown. @param {string} model @param {string[]} explains models that have reasons */
  show(model, explains) {
    const same = model === this.#model && explains.join() === [...this.#explains].join();
    [this.#model, this.#explains] = [model, new Set(explains)];
    if (!same) for (const [key, { card }] of this.#shown) this.#put(key, card, false);
  }

  /**
   * Show these cards and no others; return how many were removed. The content of a card that is gone is removed at once;
   * its place stays for a moment.
   * @param {Map<string, Card>} cards in order
   * @param {boolean} isFirst whether this is the first list, whose cards are not marked as new
   * @param {(key: string) => ?string} whyGone reverted, removed, or null for a card that is only not among the first
   */
  replace(cards, isFirst, whyGone) {
    let removed = 0;
    if (isFirst) this.clear();
    for (const [key, { item }] of this.#shown) {
      if (cards.has(key)) continue;
      const why = isFirst ? null : whyGone(key);
      if (why === null) this.#leave(item);
      else this.#blank(item, why);
      this.#shown.delete(key);
      removed += 1;
    }
    for (const [key, card] of cards) {
      const known = this.#shown.get(key);
      if (known?.card === card) continue;
      this.#put(key, card, !known && !isFirst);
    }
    let place = this.#list.firstElementChild;
    for (const key of cards.keys()) {
      const { item } = this.#shown.get(key);
      while (place?.classList.contains("gone")) place = place.nextElementSibling;
      if (item === place) place = place.nextElementSibling;
      else this.#list.insertBefore(item, place);
    }
    return removed;
  }

  /** Put an empty box in the place of a card, which leaves later. */
  #blank(item, why) {
    const hadFocus = item.contains(document.activeElement);
    const box = element("li", { className: "gone", tabIndex: -1 }, [say(`gone-${why}`)]);
    box.style.minHeight = `${item.getBoundingClientRect().height}px`;
    item.replaceWith(box);
    if (hadFocus) box.focus({ preventScroll: true });
    setTimeout(() => this.#leave(box), KEEP_PLACE_MILLISECONDS);
  }

  /** Remove all empty boxes. */
  clear() {
    for (const box of this.#list.querySelectorAll(".gone")) this.#leave(box);
  }

  /** Remove an item of the list; if it has the focus, its neighbour gets it. */
  #leave(item) {
    const hadFocus = item.contains(document.activeElement);
    const neighbour = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    if (hadFocus) (neighbour?.querySelector("a") ?? neighbour)?.focus({ preventScroll: true });
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
    const { wikiId, revId, title, link, isRevert } = card;
    const isOpened = this.#opened.has(card.key);
    const about = say("diff-about", { title: title ?? "", rev: String(revId) });
    const item = element("li", { className: isOpened ? "card opened" : "card" }, [
      element("h3", {}, [title === null ? absent(say("no-title")) : isolated(title)]),
      riskOf(card.risk, card.threshold),
      element("p", { className: "dim" }, [
        isolated(wikiId), " · ", age(card), " · ", say("revision", { rev: String(revId) }),
        ...(isRevert ? [" · ", element("span", { className: "tag" }, [say("itself-a-revert")])] : []),
        ...(isOpened ? openedHere() : []),
      ]),
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

const openedHere = () => [" · ", element("span", { className: "tag" }, [say("opened-here")])];

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
