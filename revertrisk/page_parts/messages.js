/**
 * The messages of our pages, from messages.json, which a wiki can translate.
 *
 * A message can have placeholders such as {n}, and plural forms: "0" if it has one, otherwise the form that the language's
 * plural rules select (zero, one, two, few, many, other).
 */

const messages = await (await fetch(new URL("messages.json", import.meta.url))).json();
const plurals = new Intl.PluralRules(messages.lang);

/** The language of the messages. */
export const LANGUAGE = messages.lang;

/**
 * Return a message.
 * @param {string} key
 * @param {Object<string, string | number>} [values] the values of its placeholders; `n` selects the plural form
 * @returns {string}
 */
export function say(key, values = {}) {
  let message = messages[key];
  if (message === undefined) throw new Error(`no message ${key}`);
  if (typeof message === "object") message = message[values.n] ?? message[plurals.select(values.n)] ?? message.other;
  return message.replaceAll(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" ? numberOf(values[name]) : values[name]);
}

const DATE = { year: "numeric", month: "short", day: "numeric" };
const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

/** A date and time in the language's format, with 24 hours. @param {Date} moment @param {boolean} [zone] with the time zone */
export function momentOf(moment, zone = true) {
  return moment.toLocaleString(LANGUAGE, { ...DATE, ...TIME, ...(zone ? { timeZoneName: "short" } : {}) });
}

/** The time, and the date if it is not today. @param {Date} moment */
export function timeOf(moment) {
  const isToday = moment.toDateString() === new Date().toDateString();
  return isToday ? moment.toLocaleTimeString(LANGUAGE, TIME) : momentOf(moment, false);
}

/** The name of the time zone. @returns {string} */
export const zoneName = () =>
  new Intl.DateTimeFormat(LANGUAGE, { timeZoneName: "short" }).formatToParts().find(({ type }) => type === "timeZoneName").value;

/** A model's name without the prefix that all have. @param {string} name */
export const modelName = (name) => name.replace(/^revertrisk-(?=.)/, "");

/** A number in the language's format. @param {number} number @param {Intl.NumberFormatOptions} [options] */
export function numberOf(number, options) {
  return number.toLocaleString(LANGUAGE, options);
}
