/**
 * Reads events. An event can have any content, above all a refused one: each field is checked before it is used,
 * and a field with another type than expected counts as absent.
 */

import { say } from "./messages.js";

/**
 * @typedef {object} Edit The edit of an event.
 * @property {?string} wikiId
 * @property {?number} revId
 * @property {?string} title with spaces
 * @property {"registered" | "temporary" | "ip" | "unknown"} userKind
 * @property {?string} link the address of its diff; always http or https
 */

/**
 * @typedef {object} Score The score of one model.
 * @property {string} model
 * @property {?string} version
 * @property {?number} risk the probability of class `true`, 0 to 1
 * @property {boolean} isPredicted whether the model itself predicts a revert
 */

/** @typedef {{kind: "prediction", time: string, edit: Edit, score: ?Score}} Prediction */
/** @typedef {{kind: "refusal", time: string, edit: Edit, model: ?string, stream: ?string, reason: string}} Refusal */

const CANARY_DOMAIN = "canary";

/**
 * Read an event of `/v2/stream/…`.
 * @param {unknown} event
 * @param {?string} diffBase
 * @returns {?Prediction} null for a canary, which consumers drop
 */
export function readPrediction(event, diffBase) {
  const meta = object(object(event).meta);
  if (meta.domain === CANARY_DOMAIN) return null;
  return { kind: "prediction", time: text(meta.dt) ?? "", edit: readEdit(event, diffBase), score: readScore(event) };
}

/**
 * Read an entry of `refusals` in the feed.
 * @param {unknown} item
 * @param {?string} diffBase
 * @returns {Refusal}
 */
export function readRefusal(item, diffBase) {
  const { received, stream, entry } = object(item);
  const { event, context } = object(entry);
  const { errorsText, message } = object(context);
  return {
    kind: "refusal",
    time: text(received) ?? "",
    edit: readEdit(event, diffBase),
    model: text(object(object(event).predicted_classification).model_name),
    stream: text(stream),
    reason: text(errorsText) ?? text(message) ?? say("no-reason-given"),
  };
}

/** @returns {Edit} */
function readEdit(event, diffBase) {
  const { wiki_id, revision, page, performer, meta } = object(event);
  const edit = {
    wikiId: text(wiki_id),
    revId: wholeNumber(object(revision).rev_id),
    title: text(object(page).page_title)?.replaceAll("_", " ") ?? null,
    userKind: userKind(object(object(revision).editor ?? performer)),
    link: null,
  };
  edit.link = diffLink(edit, text(object(meta).uri), diffBase);
  return edit;
}

/** @returns {?Score} */
function readScore(event) {
  const classification = object(object(event).predicted_classification);
  const model = text(classification.model_name);
  if (model === null) return null;
  const { predictions, probabilities, model_version } = classification;
  const risk = object(probabilities).true;
  return {
    model,
    version: text(model_version),
    risk: typeof risk === "number" && risk >= 0 && risk <= 1 ? risk : null,
    isPredicted: Array.isArray(predictions) && predictions.includes("true"),
  };
}

function userKind(user) {
  if (user.is_temp === true) return "temporary";
  if (wholeNumber(user.user_id)) return "registered";
  return text(user.user_text) ? "ip" : "unknown";
}

function diffLink(edit, uri, diffBase) {
  if (edit.revId === null) return null;
  if (diffBase && edit.wikiId !== null) {
    return `${diffBase}/_mock/diff/${encodeURIComponent(edit.wikiId)}/${edit.revId}`;
  }
  // The address in an event can have any scheme, including `javascript:`.
  if (uri === null || !URL.canParse(uri)) return null;
  const link = new URL(uri);
  if (link.protocol !== "https:" && link.protocol !== "http:") return null;
  link.searchParams.set("diff", String(edit.revId));
  return link.href;
}

const object = (value) => (typeof value === "object" && value !== null ? value : {});
const text = (value) => (typeof value === "string" && value !== "" ? value : null);
const wholeNumber = (value) => (Number.isSafeInteger(value) && value >= 0 ? value : null);
