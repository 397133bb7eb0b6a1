/**
 * All words of our pages, from one file of messages that a wiki can translate: messages.json.
 *
 * A message may have places such as {n}, and forms for numbers: "0" if it has one, else those that the language's plural
 * rules name (one, two, few, many, other).
 */

const messages = await (await fetch(new URL("messages.json", import.meta.url))).json();
const plurals = new Intl.PluralRules(messages.lang);

/** The language of the messages. */
export const LANGUAGE = messages.lang;

/**
 * Return a message.
 * @param {string} key
 * @param {Object<string, string | number>} [values] what stands in its places; `n` chooses its form
 * @returns {string}
 */
export function say(key, values = {}) {
  let message = messages[key];
  if (message === undefined) throw new Error(`no message ${key}`);
  if (typeof message === "object") message = message[values.n] ?? message[plurals.select(values.n)] ?? message.other;
  return message.replaceAll(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" ? numberOf(values[name]) : values[name]);
}

/** A day and time as the language writes it, with 24 hours. @param {Date} moment */
export function momentOf(moment) {
  return moment.toLocaleString(LANGUAGE, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
}

/** A number as the language writes it. @param {number} number @param {Intl.NumberFormatOptions} [options] */
export function numberOf(number, options) {
  return number.toLocaleString(LANGUAGE, options);
}
