/**
 * The table: a row for each entry that passes the filters, newest first, up to a limit.
 *
 * The content of an event is always text, never HTML.
 */

import { absent, element, isolated, unseen } from "./elements.js";
import { say } from "./messages.js";
import { riskOf } from "./risk.js";
import { whyButton } from "./why_button.js";

/** @import { Entry, RefusalEntry, RevisionEntry } from "./entries.js" */
/** @import { Edit, Score } from "./event_reader.js" */

export const MAX_ROWS = 500;

export class Table {
  #table = document.getElementById("rows");
  #heads = document.getElementById("heads");
  /** The heading over refusals while no model has a column. */
  #noModelHead = document.getElementById("no-model");
  #body = document.getElementById("body");
  /** @type {Map<string, HTMLTableRowElement>} by the entry's key */
  #rows = new Map();
  /** @type {Map<string, {head: HTMLElement, version: HTMLElement}>} by model, in the order of the columns */
  #columns = new Map();
  #model = "";
  #explains = new Set();
  /** The wikis that a model serves, of those models that do not serve all. */
  #served = new Map();
  #onWhy;

  /** @param {(edit: Edit, model: string) => void} onWhy the user wants a model's reasons */
  constructor(onWhy) {
    this.#onWhy = onWhy;
  }

  /** Offer reasons for the scores of these models, in new rows. @param {string[]} models */
  offerReasons(models) {
    this.#explains = new Set(models);
    this.#table.classList.toggle("explained", models.length > 0);
  }

  /** Set the wikis that models serve; other models serve all, or are not known. @param {Object<string, string[]>} wikis */
  tellServed(wikis) {
    this.#served = new Map(Object.entries(wikis));
  }

  /** The number of rows. @returns {number} */
  get size() {
    return this.#rows.size;
  }

  /**
   * Show these entries and no others.
   * @param {Entry[]} entries newest first
   * @param {string} model the only model to show; empty for all
   */
  replace(entries, model) {
    this.#model = model;
    for (const [name, column] of this.#columns) column.head.hidden = this.#isHidden(name);
    this.#fitColumns();
    // Oldest first, as for `put`: the first row to remove is the map's first.
    const shown = entries.slice(0, MAX_ROWS).reverse();
    for (const entry of shown) this.#addColumns(entry);
    this.#rows = new Map();
    for (const entry of shown) this.#rows.set(entry.key, this.#row(entry));
    this.#body.replaceChildren(...[...this.#rows.values()].reverse());
  }

  /** Show an entry: in its row if it has one, otherwise in a new first row. @param {Entry} entry */
  put(entry) {
    if (this.#addColumns(entry)) this.#widenRows();
    const [old, row] = [this.#rows.get(entry.key), this.#row(entry)];
    this.#rows.set(entry.key, row);
    if (old) {
      const hadFocus = old.contains(document.activeElement);
      old.replaceWith(row);
      if (hadFocus) row.querySelector("a")?.focus();
      return;
    }
    row.classList.add("new");
    this.#body.prepend(row);
    if (this.#rows.size > MAX_ROWS) this.remove(this.#rows.keys().next().value);
  }

  /** Remove a row, if it exists. @param {string} key */
  remove(key) {
    this.#rows.get(key)?.remove();
    this.#rows.delete(key);
  }

  /** Remove all rows and models. */
  clear() {
    this.#rows.clear();
    this.#body.replaceChildren();
    for (const { head } of this.#columns.values()) head.remove();
    this.#columns.clear();
    this.#fitColumns();
  }

  #isHidden(model) {
    return this.#model !== "" && model !== this.#model;
  }

  /** Create the columns that an entry needs; return whether there are new ones. */
  #addColumns(entry) {
    if (entry.kind !== "prediction") return false;
    const before = this.#columns.size;
    for (const { model, version } of entry.scores.values()) {
      if (!this.#columns.has(model)) this.#addColumn(model);
      this.#columns.get(model).version.textContent = version ?? "";
    }
    return this.#columns.size > before;
  }

  #addColumn(model) {
    const version = element("span", { className: "version" });
    const head = element("th", { scope: "col", className: "model", hidden: this.#isHidden(model) }, [
      isolated(model),
      version,
    ]);
    this.#columns.set(model, { head, version });
    this.#columns = new Map([...this.#columns].sort(([one], [other]) => (one < other ? -1 : 1)));
    this.#heads.append(...[...this.#columns.values()].map((column) => column.head));
    this.#fitColumns();
  }

  #fitColumns() {
    this.#noModelHead.hidden = this.#columnNames().some((model) => !this.#isHidden(model));
    this.#table.style.setProperty("--models", String(this.#visibleColumns()));
  }

  /** Add a cell for a new model to all rows. The order of the cells is that of the columns. */
  #widenRows() {
    for (const row of this.#rows.values()) {
      const refusal = row.querySelector(".reason");
      if (refusal) {
        refusal.colSpan = this.#visibleColumns();
        continue;
      }
      const cells = new Map([...row.querySelectorAll(".score")].map((cell) => [cell.dataset.model, cell]));
      const edit = { wikiId: row.dataset.wiki ?? null };
      row.append(...this.#columnNames().map((model) => cells.get(model) ?? this.#scoreCell(model, undefined, edit)));
    }
  }

  #columnNames() {
    return [...this.#columns.keys()];
  }

  /** The number of columns after the user's: those of the models, or their placeholder. */
  #visibleColumns() {
    return Math.max(1, this.#columnNames().filter((model) => !this.#isHidden(model)).length);
  }

  /** @param {Entry} entry */
  #row(entry) {
    const { edit } = entry;
    const cells = [
      element("td", { className: "time" }, [timeOf(entry.time)]),
      element("td", { className: "wiki" }, [edit.wikiId === null ? absent(say("no-wiki")) : isolated(edit.wikiId)]),
      titleCell(edit),
      element("td", { className: "user" }, [say(`user-${edit.userKind}`)]),
    ];
    const isRefusal = entry.kind === "refusal";
    cells.push(
      ...(isRefusal
        ? [this.#reasonCell(entry)]
        : this.#columnNames().map((model) => this.#scoreCell(model, entry.scores.get(model), edit))),
    );
    const row = element("tr", { className: entry.kind }, cells);
    if (edit.wikiId !== null) row.dataset.wiki = edit.wikiId;
    return row;
  }

  /** @param {RefusalEntry} refusal */
  #reasonCell(refusal) {
    const where = [refusal.model, refusal.stream].filter((name) => name !== null).join(" → ");
    return element("td", { className: "reason", colSpan: this.#visibleColumns() }, [
      element("strong", { className: "badge" }, [
        element("span", { ariaHidden: "true" }, ["✕ "]),
        say("refused-badge"),
      ]),
      element("span", { className: "why", dir: "auto" }, [refusal.reason]),
      ...(where ? [element("span", { className: "where", dir: "auto" }, [where])] : []),
    ]);
  }

  /** @param {string} model @param {?Score} score @param {Edit} edit */
  #scoreCell(model, score, edit) {
    const cell = element("td", { className: "score", hidden: this.#isHidden(model) });
    cell.dataset.model = model;
    if (!score) cell.append(absent(this.#serves(model, edit.wikiId) ? say("no-score") : say("does-not-serve", { wiki: edit.wikiId })));
    else if (score.risk === null) cell.append(absent(say("no-probability")));
    else cell.append(riskOf(score.risk));
    if (score?.isPredicted) {
      cell.append(element("span", { className: "verdict" }, [
        element("span", { ariaHidden: "true" }, ["⚑ "]),
        unseen(`${say("predicts")} `),
        say("verdict"),
      ]));
    }
    if (score && this.#explains.has(model) && edit.wikiId !== null && edit.revId !== null) {
      cell.append(whyButton(edit, model, this.#onWhy));
    }
    return cell;
  }

  #serves(model, wikiId) {
    return wikiId === null || (this.#served.get(model)?.includes(wikiId) ?? true);
  }
}

function titleCell({ title, revId, link }) {
  const name = title === null ? absent(say("no-title")) : isolated(title);
  return element("th", { scope: "row", className: "page" }, [
    link === null ? name : element("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, [name]),
    ...(revId === null ? [] : [" ", element("span", { className: "revision" }, [String(revId)])]),
  ]);
}

function timeOf(time) {
  const moment = new Date(time);
  if (Number.isNaN(moment.getTime())) return absent(say("no-time"));
  const shown = moment.toLocaleTimeString("en-GB"); // the page is in English: 24 hours
  return element("time", { dateTime: moment.toISOString() }, [shown]);
}
