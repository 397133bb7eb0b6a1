/** Creates elements. Strings become text, never HTML. */

import { say } from "./messages.js";

/** A text whose direction does not affect the text around it, such as a title in any language. */
export const isolated = (text) => element("bdi", {}, [text]);

/** A dash for a missing value, and the reason. */
export const absent = (what) =>
  element("span", { className: "absent" }, [element("span", { ariaHidden: "true" }, [`${say("dash")} `]), what]);

/** Text for screen readers only. */
export const unseen = (text) => element("span", { className: "unseen" }, [text]);

/** Create an element with properties and children. */
export function element(name, properties, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
