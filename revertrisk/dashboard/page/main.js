/** The page: what is chosen, and the views of it. */

import { queryOf, readAddress, writeAddress } from "./address.js";
import { setOptions } from "./choices.js";
import { Edits } from "./edits.js";
import { say } from "./messages.js";

const byId = (id) => document.getElementById(id);
const FIELDS = ["wiki", "model", "order"];

const edits = new Edits(offer);

/** Offer what can be chosen; what is chosen stays, also where it has no edits now. */
function offer(wikis, models, model) {
  const { wiki } = readAddress();
  const names = [...new Set([...Object.keys(wikis), ...(wiki ? [wiki] : [])])].sort();
  setOptions(byId("wiki"), [
    ["", say("all-wikis")],
    ...names.map((name) => [name, say("wiki-count", { wiki: name, n: wikis[name] ?? 0 })]),
  ], wiki);
  setOptions(byId("model"), [...new Set([...models, model])].filter(Boolean).map((name) => [name, name]), model);
}

function show() {
  const choice = readAddress();
  for (const view of ["edits"]) {
    const link = byId(`view-${view}`);
    link.href = queryOf({ ...choice, view });
    if (choice.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const part of document.querySelectorAll("[data-view]")) part.hidden = part.dataset.view !== choice.view;
  byId("order").value = choice.order;
  edits.follow(choice);
}

byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("change", () => {
  writeAddress({ ...readAddress(), ...Object.fromEntries(FIELDS.map((name) => [name, byId(name).value])) });
  show();
});
addEventListener("popstate", show);
show();
