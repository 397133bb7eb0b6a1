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

/** A date and time in the language's format, with 24 hours. @param {Date} moment */
export function momentOf(moment) {
  return moment.toLocaleString(LANGUAGE, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
}

/** A number in the language's format. @param {number} number @param {Intl.NumberFormatOptions} [options] */
export function numberOf(number, options) {
  return number.toLocaleString(LANGUAGE, options);
}
