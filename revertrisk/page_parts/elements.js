/** Making elements. Strings become text, never HTML. */

/** A name in any language, which must not turn the text around it. */
export const isolated = (text) => element("bdi", {}, [text]);

/** A dash for what is not there, with the reason in words. */
export const absent = (what) =>
  element("span", { className: "absent" }, [element("span", { ariaHidden: "true" }, ["— "]), what]);

/** Make an element with properties and children; strings become text. */
export function element(name, properties, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
