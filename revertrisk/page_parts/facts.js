/**
 * The facts that changed a risk, as sentences for a patroller.
 *
 * A model's explanation has an amount for each feature. Features about the same thing are grouped into one fact: its
 * amount is the sum of theirs, and its sentence is made from their values. The kind of user comes from the event.
 */

import { numberOf, say } from "./messages.js";

/** @typedef {{name: string, value: ?number, amount: number}} Contribution */
/** @typedef {{words: string, amount: number, isOfAccount: boolean}} Fact */

/**
 * Return the facts of an explanation, those with the largest effect first. Facts about added words are left out if no
 * words were added, and those about removed words if none were removed.
 * @param {Contribution[]} contributions
 * @param {string} userKind registered, temporary, ip or unknown
 * @returns {Fact[]}
 */
export function factsOf(contributions, userKind) {
  const values = new Map(contributions.map(({ name, value }) => [name, value]));
  const amounts = new Map();
  for (const { name, amount } of contributions) {
    const group = GROUP_OF.get(name) ?? name;
    amounts.set(group, (amounts.get(group) ?? 0) + amount);
  }
  return [...amounts]
    .map(([group, amount]) => ({
      words: inWords(group, values, userKind),
      amount,
      isOfAccount: group.isOfAccount === true,
    }))
    .filter(({ words }) => words !== null)
    .sort((one, other) => Math.abs(other.amount) - Math.abs(one.amount));
}

/** What a feature measures, and its unit. @param {string} name @returns {[string, string]} */
export function meaningOf(name) {
  const unit = UNITS[name];
  return unit === undefined ? [name.replaceAll("_", " "), ""] : [say(`feature-${name}`), unit];
}

function inWords(group, values, userKind) {
  const value = (name) => values.get(name) ?? null;
  if (typeof group === "string") {
    const found = value(group);
    const shown = found === null ? say("not-known") : numberOf(Number(found.toPrecision(3)));
    return say("fact-plain", { meaning: meaningOf(group)[0], value: shown });
  }
  return group.say(value, userKind) ?? (group.absent === null ? null : say(group.absent));
}

function percent(share) {
  if (share === 0) return say("share-none");
  if (share < 0.01) return say("share-tiny");
  return share > 0.99 && share < 1 ? say("share-nearly-all") : say("share", { n: Math.round(share * 100) });
}
/** A share of things that can be counted: "none of …", "20 % of …". */
const portion = (share) => (share === 0 ? say("portion-none") : percent(share));
const oneDigit = (number) => numberOf(number, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A fact from one feature; `absent` is the message if its value is not known, null for no fact. */
const single = (name, absent, sentence) => ({
  features: [name],
  absent,
  say: (value) => (value(name) === null ? null : sentence(value(name))),
});
const flag = (name, yes, no, absent) => single(name, absent, (value) => say(value ? yes : no));
const count = (name, key, absent) => single(name, absent, (value) => say(key, { n: Math.round(value) }));

/** A fact from two features: how many of something an edit added or removed. */
const change = (what) => ({
  features: [`${what}_gained`, `${what}_lost`],
  absent: `${what}-unknown`,
  say(value) {
    const [gained, lost] = [value(`${what}_gained`), value(`${what}_lost`)];
    if (gained === null && lost === null) return null;
    if (gained) return say(`${what}-gained`, { n: Math.round(gained) });
    return lost ? say(`${what}-lost`, { n: Math.round(lost) }) : say(`${what}-neither`);
  },
});

const likeness = (share) => (share < 1 / 3 ? "little" : share < 2 / 3 ? "partly" : "much");

/** A duration in the largest unit of which there is at least one; there is a message for each unit. */
function inUnits(key, seconds) {
  const units = [["second", 60], ["minute", 60], ["hour", 24], ["day", 365], ["year", Infinity]];
  let amount = seconds;
  for (const [unit, many] of units) {
    if (amount < many) return say(`${key}-${unit}`, { n: Math.round(amount) });
    amount /= many;
  }
}

function wordsChanged(value) {
  const [added, removed] = [value("words_inserted"), value("words_removed")];
  if (added === null || removed === null) return null;
  if (!added && !removed) return say("words-unchanged");
  return say("words-changed", {
    added: say("words-added", { n: Math.round(added) }),
    removed: say("words-removed", { n: Math.round(removed) }),
  });
}

function editor(value, userKind) {
  if (value("user_is_anonymous") === null) return null;
  if (!value("user_is_anonymous")) return say("editor-registered");
  return say({ temporary: "editor-temporary", ip: "editor-ip" }[userKind] ?? "editor-unregistered");
}

function experience(value) {
  const [count, days] = [value("user_edit_count"), value("user_age")];
  const edits = count === null ? null : say("experience-edits", { n: Math.round(count) });
  const age = days === null ? null : inUnits("age", days * 86400);
  return edits !== null && age !== null ? say("experience-both", { edits, age }) : edits ?? age;
}

function rights(value) {
  const [bot, botOrAdmin, privileged] = ["user_is_bot", "user_is_bot_or_admin", "user_is_privileged"].map(value);
  if (bot) return say("bot");
  if (botOrAdmin) return say(bot === 0 ? "administrator" : "bot-or-administrator");
  if (privileged) return say("privileged");
  return bot === null && botOrAdmin === null && privileged === null ? null : say("not-privileged");
}

function capitals(value) {
  if (value("inserted_upper_share") === null) return null;
  const [share, shouted] = [percent(value("inserted_upper_share")), value("inserted_shouted_share")];
  return shouted ? say("capitals-shouted", { share, shouted: percent(shouted) }) : say("capitals", { share });
}

function lengths(value) {
  const [mean, longest] = [value("inserted_word_length"), value("inserted_longest_word")];
  if (mean === null) return null;
  if (longest === null) return say("word-length", { mean: oneDigit(mean) });
  return say("word-length-longest", { mean: oneDigit(mean), longest: Math.round(longest) });
}

function repeated(value) {
  const distinct = value("inserted_distinct_share");
  if (distinct === null) return null;
  return distinct === 1 ? say("repeated-none") : say("repeated", { share: percent(1 - distinct) });
}

function summary(value) {
  const [present, length] = [value("comment_present"), value("comment_length")];
  if (present === null) return null;
  return present ? say("summary", { n: Math.round(length ?? 0) }) : say("no-summary");
}

const GROUPS = [
  {
    features: [
      "words_inserted", "words_removed", "characters_inserted", "characters_removed", "only_inserts", "only_removes",
      "no_words_changed", "inserted_share",
    ],
    absent: "words-unknown",
    say: wordsChanged,
  },
  count("words_kept", "words-kept", "words-kept-unknown"),
  single("replacement_overlap", "replacement-none", (share) => say(`replacement-${likeness(share)}`)),
  single("inserted_in_context", null, (share) => say(`context-${likeness(share)}`)),
  { features: ["inserted_upper_share", "inserted_shouted_share"], absent: null, say: capitals },
  single("inserted_capitalised_share", null, (share) => say("capitalised", { portion: portion(share) })),
  single("inserted_digit_share", null, (share) => say("digits", { share: percent(share) })),
  {
    features: [
      "inserted_distinct_share", "inserted_diversity", "inserted_most_frequent_share", "inserted_compressibility",
    ],
    absent: null,
    say: repeated,
  },
  { features: ["inserted_word_length", "inserted_longest_word"], absent: null, say: lengths },
  single("inserted_longest_run", null, (run) =>
    run < 3 ? say("run-short") : say("run-long", { n: Math.round(run) })),
  single("inserted_minority_script_share", null,
    (share) => say("minority-script", { portion: portion(share) })),
  flag("inserted_foreign_script_share", "foreign-script", "same-script", "script-unknown"),
  count("inserted_exclamations", "exclamations", null),
  count("inserted_emoji", "emoji", null),
  single("removed_upper_share", null, (share) => say("removed-capitals", { share: percent(share) })),
  single("removed_digit_share", null, (share) => say("removed-digits", { share: percent(share) })),
  single("removed_word_length", null, (mean) => say("removed-word-length", { mean: oneDigit(mean) })),
  count("removed_exclamations", "removed-exclamations", null),
  change("references"),
  change("external_links"),
  change("tags"),
  change("wikilinks"),
  change("templates"),
  change("categories"),
  change("media"),
  change("headings"),
  change("table_rows"),
  change("list_items"),
  change("bold_italic"),
  change("lines"),
  {
    features: ["comment_present", "comment_length", "comment_links", "comment_upper_share", "comment_longest_run"],
    absent: "summary-unknown",
    say: summary,
  },
  flag("comment_names_section", "in-section", "not-in-section", "summary-unknown"),
  flag("is_minor", "minor", "not-minor", "minor-unknown"),
  {
    features: ["user_is_anonymous", "user_is_temporary"],
    absent: "editor-unknown",
    say: editor,
    isOfAccount: true,
  },
  { features: ["user_edit_count", "user_age"], absent: "experience-unknown", say: experience, isOfAccount: true },
  {
    features: ["user_is_bot", "user_is_bot_or_admin", "user_is_privileged"],
    absent: "privileged-unknown",
    say: rights,
    isOfAccount: true,
  },
  single("seconds_since_parent", "since-unknown", (seconds) => inUnits("since", seconds)),
  flag("parent_user_is_anonymous", "parent-anonymous", "parent-registered", "parent-unknown"),
  count("old_length", "old-length", "old-length-unknown"),
  single("removed_share_of_page", "page-removed-unknown",
    (share) => share ? say("page-removed", { share: percent(share) }) : say("nothing-removed")),
  flag("namespace_is_main", "article", "not-article", "article-unknown"),
  flag("is_mobile", "mobile", "not-mobile", "mobile-unknown"),
  flag("is_visual", "visual", "not-visual", "visual-unknown"),
  { features: ["inserted_text"], say: () => say("added-text") },
  { features: ["removed_text"], say: () => say("removed-text") },
  { features: ["comment_text"], say: () => say("summary-text") },
];
const GROUP_OF = new Map(GROUPS.flatMap((group) => group.features.map((name) => [name, group])));

/** The unit of each feature, as in the feature table of `revertrisk.scoring`; a test compares the two. */
const UNITS = {
  "words_inserted": "words",
  "words_removed": "words",
  "words_kept": "words",
  "characters_inserted": "characters",
  "characters_removed": "characters",
  "only_inserts": "0 or 1",
  "only_removes": "0 or 1",
  "no_words_changed": "0 or 1",
  "inserted_share": "share",
  "replacement_overlap": "share",
  "inserted_in_context": "share",
  "inserted_upper_share": "share",
  "inserted_shouted_share": "share",
  "inserted_capitalised_share": "share",
  "inserted_digit_share": "share",
  "inserted_distinct_share": "share",
  "inserted_word_length": "characters",
  "inserted_longest_word": "characters",
  "inserted_longest_run": "characters",
  "inserted_diversity": "ratio",
  "inserted_most_frequent_share": "share",
  "inserted_compressibility": "ratio",
  "inserted_minority_script_share": "share",
  "inserted_foreign_script_share": "share",
  "inserted_exclamations": "marks",
  "inserted_emoji": "symbols",
  "removed_upper_share": "share",
  "removed_digit_share": "share",
  "removed_word_length": "characters",
  "removed_exclamations": "marks",
  "references_gained": "occurrences",
  "references_lost": "occurrences",
  "external_links_gained": "occurrences",
  "external_links_lost": "occurrences",
  "tags_gained": "occurrences",
  "tags_lost": "occurrences",
  "wikilinks_gained": "occurrences",
  "wikilinks_lost": "occurrences",
  "templates_gained": "occurrences",
  "templates_lost": "occurrences",
  "categories_gained": "occurrences",
  "categories_lost": "occurrences",
  "media_gained": "occurrences",
  "media_lost": "occurrences",
  "headings_gained": "occurrences",
  "headings_lost": "occurrences",
  "table_rows_gained": "occurrences",
  "table_rows_lost": "occurrences",
  "list_items_gained": "occurrences",
  "list_items_lost": "occurrences",
  "bold_italic_gained": "occurrences",
  "bold_italic_lost": "occurrences",
  "lines_gained": "lines",
  "lines_lost": "lines",
  "comment_present": "0 or 1",
  "comment_length": "characters",
  "comment_names_section": "0 or 1",
  "comment_links": "links",
  "comment_upper_share": "share",
  "comment_longest_run": "characters",
  "is_minor": "0 or 1",
  "user_is_anonymous": "0 or 1",
  "user_is_temporary": "0 or 1",
  "user_edit_count": "edits",
  "user_age": "days",
  "user_is_bot": "0 or 1",
  "user_is_bot_or_admin": "0 or 1",
  "user_is_privileged": "0 or 1",
  "seconds_since_parent": "seconds",
  "parent_user_is_anonymous": "0 or 1",
  "old_length": "characters",
  "removed_share_of_page": "share",
  "namespace_is_main": "0 or 1",
  "is_mobile": "0 or 1",
  "is_visual": "0 or 1"
};
