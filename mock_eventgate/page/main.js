/** The live page: puts the feed's events into entries, and entries that pass the filters into the table. */

import { Announcer } from "./announcer.js";
import { Entries, MAX_ENTRIES } from "./entries.js";
import { readPrediction, readRefusal } from "./event_reader.js";
import { Feed } from "./feed.js";
import { Filters } from "./filters.js";
import { numberOf, say } from "./messages.js";
import { Rate } from "./rate.js";
import { Reasons } from "./reasons.js";
import { MAX_ROWS, Table } from "./table.js";

const SHOW_AFTER_MILLISECONDS = 100; // so that a busy stream does not cause a layout for each event
const ONE_DIGIT = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
/** The messages about the state of the connection. */
const STATES = { connecting: "connecting", live: "live", lost: "gate-lost", "no-streams": "no-streams" };

const byId = (id) => document.getElementById(id);
const reasons = new Reasons();
const table = new Table((edit, model) => reasons.show(edit, model));
const announcer = new Announcer(byId("announcer"));
const rate = new Rate();
let entries = new Entries();
let diffBase = null;
let isPaused = false;
/**
 * Whether the gate has counted an event. Its row is shown a moment later. A canary has no row, and no row is added
 * while the page is paused.
 */
let hasCounts = false;
/** The entries that were read and are not shown yet. */
let waiting = [];
let timer = null;

const filters = new Filters(showAll);

function take(item) {
  if (item === null) return;
  waiting.push(item);
  if (waiting.length > MAX_ENTRIES) waiting.shift();
  if (isPaused) showWaiting();
  else timer ??= setTimeout(showNew, SHOW_AFTER_MILLISECONDS);
}

function showNew() {
  timer = null;
  if (isPaused) return;
  // An entry that is added and changed in this time is shown once.
  const changed = new Set(waiting.map((item) => entries.add(item)));
  for (const { kind } of waiting) announcer.note(kind);
  waiting = [];
  for (const entry of changed) filters.offer(entry);
  if (changed.size > MAX_ROWS) return showAll(); // most of them would be removed at once
  for (const entry of changed) {
    if (filters.wants(entry)) table.put(entry);
    else table.remove(entry.key);
  }
  showSize();
}

function showAll() {
  table.replace(entries.newestFirst().filter((entry) => filters.wants(entry)), filters.model);
  showSize();
}

function showSize() {
  const size = table.size;
  byId("shown").textContent = numberOf(size);
  byId("rows").hidden = size === 0;
  byId("empty").hidden = size > 0;
  const isUnused = entries.size === 0 && !hasCounts;
  byId("empty-hint").hidden = !isUnused;
  byId("empty-text").textContent = isUnused
    ? say("no-events-yet")
    : say(entries.size === 0 ? "nothing-to-show" : "no-matching-event");
}

function showWaiting() {
  byId("waiting").textContent = isPaused ? say("waiting", { n: waiting.length }) : "";
}

function pause() {
  isPaused = !isPaused;
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  showWaiting();
  if (!isPaused) showNew();
}

byId("pause").addEventListener("click", pause);

new Feed({
  onExplains: (models) => table.offerReasons(models),
  onBegin(base, wikis) {
    diffBase = base;
    table.tellServed(wikis);
    waiting = [];
    entries = new Entries();
    rate.clear();
    table.clear();
    showSize();
    showWaiting();
  },
  onPrediction: (event) => take(readPrediction(event, diffBase)),
  onRefusals: (refusals) => refusals.forEach((refusal) => take(readRefusal(refusal, diffBase))),
  onCounts(accepted, refused) {
    hasCounts = accepted + refused > 0;
    showSize();
    const perSecond = rate.note(accepted, performance.now());
    byId("accepted").textContent = numberOf(accepted);
    byId("refused").textContent = numberOf(refused);
    byId("refused-tile").classList.toggle("loud", refused > 0);
    byId("rate").textContent = perSecond === null ? "–" : numberOf(perSecond, ONE_DIGIT);
  },
  onState(state) {
    const connection = byId("connection");
    if (connection.dataset.state === state) return; // a screen reader reads a live region after each write
    connection.dataset.state = state;
    connection.textContent = say(STATES[state]);
  },
}).follow();
