/** The view and the filters, kept in the page's address. */

/**
 * @typedef {object} Choice
 * @property {string} view edits or charts
 * @property {string} wiki a wiki_id; empty means all
 * @property {string} model empty means the first
 * @property {string} order newest or worst
 * @property {string} user a kind of user; empty means all
 * @property {string} hours the time that charts cover
 */

/** @type {Choice} */
const DEFAULTS = { view: "edits", wiki: "", model: "", order: "newest", user: "", hours: "24" };

/** @returns {Choice} the choice in the address; unknown parameters are ignored */
export function readAddress() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, query.get(name) ?? value]));
}

/** The query string of a choice, without default values. @param {Choice} choice */
export function queryOf(choice) {
  const chosen = Object.entries(choice).filter(([name, value]) => value !== DEFAULTS[name]);
  return `?${new URLSearchParams(chosen)}`;
}

/** Put a choice into the address as a new entry of the history. @param {Choice} choice */
export function writeAddress(choice) {
  const query = queryOf(choice);
  if (query !== queryOf(readAddress())) history.pushState(null, "", query);
}
