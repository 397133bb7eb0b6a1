/** Making elements. Strings become text, never HTML. */

import { say } from "./messages.js";

/** A name in any language, which must not turn the text around it. */
export const isolated = (text) => element("bdi", {}, [text]);

/** A dash for what is not there, with the reason in words. */
export const absent = (what) =>
  element("span", { className: "absent" }, [element("span", { ariaHidden: "true" }, [`${say("dash")} `]), what]);

/** Text for those who do not see what stands beside it. */
export const unseen = (text) => element("span", { className: "unseen" }, [text]);

/** Make an element with properties and children; strings become text. */
export function element(name, properties, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
