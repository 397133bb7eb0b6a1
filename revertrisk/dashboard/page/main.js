/** The page: its filters and its two views. */

import { queryOf, readAddress, writeAddress } from "./address.js";
import { Charts } from "./charts.js";
import { setOptions } from "./choices.js";
import { Edits } from "./edits.js";
import { modelName, say } from "./messages.js";

const byId = (id) => document.getElementById(id);
const VIEWS = ["edits", "charts"];
const FIELDS = ["wiki", "model", "order", "user", "hours"];
const READ_CHOICES_EVERY_MILLISECONDS = 60_000;

/** What can be chosen: from the feed, with the number of edits to look at for each wiki, and from the lake. */
let live = { wikis: {}, models: [], model: "" };
let lake = { charts: [], wikis: [], models: [] };

const charts = new Charts();
const edits = new Edits((wikis, models, model) => {
  live = { wikis, models, model };
  offer();
});

/** Fill the lists for the current view; a chosen wiki or model stays in them even if it has no edits now. */
function offer() {
  const { view, wiki, model } = readAddress();
  const isLive = view === "edits";
  const found = isLive ? Object.keys(live.wikis) : lake.wikis;
  const names = [...new Set([...found, ...(wiki ? [wiki] : [])])].sort();
  setOptions(byId("wiki"), [
    ["", say("all-wikis")],
    ...names.map((name) => [name, isLive && name in live.wikis ? say("wiki-count", { wiki: name, n: live.wikis[name] }) : name]),
  ], wiki);
  const models = isLive ? live.models : lake.models;
  const chosen = model || (isLive ? live.model : lake.models[0]) || "";
  const offered = [...new Set([...models, chosen])].filter(Boolean).map((name) => [name, modelName(name)]);
  setOptions(byId("model"), offered.length ? offered : [["", say("no-model")]], chosen);
  byId("model").title = chosen;
}

function show() {
  const choice = readAddress();
  for (const view of VIEWS) {
    const link = byId(`view-${view}`);
    link.href = queryOf({ ...choice, view });
    if (choice.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const part of document.querySelectorAll("[data-view]")) part.hidden = part.dataset.view !== choice.view;
  for (const name of ["order", "user", "hours"]) byId(name).value = choice[name];
  offer();
  edits.follow(choice);
  charts.show(choice.view === "charts" ? choice : null);
}

function choose(changed) {
  writeAddress({ ...readAddress(), ...changed });
  show();
}

async function readChoices() {
  try {
    const answer = await (await fetch("charts")).json();
    byId("no-lake").textContent = answer.error ? say("no-chart", { reason: answer.error }) : say("no-lake");
    lake = { charts: [], wikis: [], models: [], ...answer };
  } catch {
    return; // the state of the connection shows it
  }
  byId("view-charts").hidden = lake.charts.length === 0 && readAddress().view !== "charts";
  byId("no-lake").hidden = lake.charts.length > 0;
  charts.offer(lake.charts);
  offer();
}

byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("change", () =>
  choose(Object.fromEntries(FIELDS.map((name) => [name, byId(name).value]))));
for (const view of VIEWS) {
  byId(`view-${view}`).addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // the browser opens a new tab or window
    event.preventDefault();
    choose({ view });
  });
}
addEventListener("popstate", show);
show();
readChoices();
setInterval(readChoices, READ_CHOICES_EVERY_MILLISECONDS);
