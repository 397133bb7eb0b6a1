/** What is chosen on the page, kept in its address: one address is one state. */

/**
 * @typedef {object} Choice
 * @property {string} view edits or charts
 * @property {string} wiki a wiki_id; empty for all
 * @property {string} model empty for the first
 * @property {string} order newest or worst
 * @property {string} user a kind of user; empty for all
 * @property {string} hours how far charts go back
 */

/** @type {Choice} */
const DEFAULTS = { view: "edits", wiki: "", model: "", order: "newest", user: "", hours: "24" };

/** @returns {Choice} what the address says; anything else in it is passed over */
export function readAddress() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, query.get(name) ?? value]));
}

/** The query of a choice, without what is chosen anyway. @param {Choice} choice */
export function queryOf(choice) {
  const chosen = Object.entries(choice).filter(([name, value]) => value !== DEFAULTS[name]);
  return `?${new URLSearchParams(chosen)}`;
}

/** Make a choice the address, so that Back leads to the one before. @param {Choice} choice */
export function writeAddress(choice) {
  const query = queryOf(choice);
  if (query !== queryOf(readAddress())) history.pushState(null, "", query);
}
