/** The button that opens the reasons for a risk. */

import { element, unseen } from "./elements.js";
import { say } from "./messages.js";

/** @import { ExplainedEdit } from "./reasons.js" */

/**
 * @param {ExplainedEdit} edit
 * @param {string} model
 * @param {(edit: ExplainedEdit, model: string) => void} onWhy
 */
export function whyButton(edit, model, onWhy) {
  const about = say("why-about", { model, title: edit.title ?? "", rev: String(edit.revId) });
  const button = element("button", { type: "button", className: "why-button" }, [say("why"), unseen(` ${about}`)]);
  button.addEventListener("click", () => onWhy(edit, model));
  return button;
}
