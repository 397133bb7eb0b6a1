/**
 * What moved a risk, in the words of somebody who patrols edits.
 *
 * A model's explanation has a number for each feature. Features that tell of one thing become one fact: its amount
 * is their sum, and its sentence is made of their values. Sentences know who made the edit from the event.
 */

/** @typedef {{name: string, value: ?number, amount: number}} Contribution */
/** @typedef {{words: string, amount: number}} Fact */

/**
 * Return the facts of an explanation, those that moved the risk most first.
 * @param {Contribution[]} contributions
 * @param {string} userKind registered, temporary, IP or unknown
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
    .map(([group, amount]) => ({ words: inWords(group, values, userKind), amount }))
    .sort((one, other) => Math.abs(other.amount) - Math.abs(one.amount));
}

/** What a feature measures, and in which unit. @param {string} name @returns {[string, string]} */
export function meaningOf(name) {
  return MEANINGS[name] ?? [name.replaceAll("_", " "), ""];
}

function inWords(group, values, userKind) {
  const value = (name) => values.get(name) ?? null;
  if (typeof group === "string") {
    const found = value(group);
    return `${meaningOf(group)[0]}: ${found === null ? "not known" : Number(found.toPrecision(3)).toLocaleString("en")}`;
  }
  return group.say(value, userKind) ?? group.absent;
}

const counted = (number, one, many = `${one}s`) =>
  `${number === 0 ? "no" : Math.round(number).toLocaleString("en")} ${number === 1 ? one : many}`;
const percent = (share) =>
  share === 0 ? "no" : share < 0.01 ? "under 1 %" : share > 0.99 && share < 1 ? "over 99 %" : `${Math.round(share * 100)} %`;
/** A share of countable things: "none of …", "20 % of …". */
const portion = (share) => (share === 0 ? "none" : percent(share));
const rounded = (number) => Math.round(number).toLocaleString("en");

/** A fact of one feature; its sentence is null where there is nothing to say. */
const single = (name, absent, say) => ({
  features: [name],
  absent,
  say: (value) => (value(name) === null ? null : say(value(name))),
});
const flag = (name, yes, no, absent) => single(name, absent, (value) => (value ? yes : no));

/** A fact of what an edit gained or lost of something. */
const change = (what, one, many = `${one}s`) => ({
  features: [`${what}_gained`, `${what}_lost`],
  absent: `${many} added or removed: not known`,
  say(value) {
    const [gained, lost] = [value(`${what}_gained`), value(`${what}_lost`)];
    if (gained === null && lost === null) return null;
    if (gained) return `${counted(gained, one, many)} added`;
    return lost ? `${counted(lost, one, many)} removed` : `no ${many} added or removed`;
  },
});

const likeness = (share) => (share < 1 / 3 ? "little" : share < 2 / 3 ? "partly" : "much");

function duration(seconds) {
  const units = [["second", 60], ["minute", 60], ["hour", 24], ["day", 365], ["year", Infinity]];
  let amount = seconds;
  for (const [unit, many] of units) {
    if (amount < many) return counted(Math.round(amount), unit);
    amount /= many;
  }
}

function wordsChanged(value) {
  const [added, removed] = [value("words_inserted"), value("words_removed")];
  if (added === null || removed === null) return null;
  if (!added && !removed) return "no words changed: only markup, order or spaces";
  return `${counted(added, "word")} added, ${removed ? rounded(removed) : "none"} removed`;
}

function editor(value, userKind) {
  if (value("user_is_anonymous") === null) return null;
  if (!value("user_is_anonymous")) return "a registered editor";
  const kind = { temporary: " (temporary account)", IP: " (IP address)" }[userKind] ?? "";
  return `an unregistered editor${kind}`;
}

function experience(value) {
  const parts = [];
  if (value("user_edit_count") !== null) parts.push(counted(value("user_edit_count"), "edit"));
  if (value("user_age") !== null) parts.push(`an account of ${duration(value("user_age") * 86400)}`);
  return parts.length ? parts.join(", ") : null;
}

function rights(value) {
  const [bot, botOrAdmin, privileged] = ["user_is_bot", "user_is_bot_or_admin", "user_is_privileged"].map(value);
  if (bot) return "a bot";
  if (botOrAdmin) return bot === 0 ? "an administrator" : "a bot or an administrator";
  if (privileged) return "an editor whom the wiki has given rights";
  return bot === null && botOrAdmin === null && privileged === null ? null : "an editor without special rights";
}

function capitals(value) {
  if (value("inserted_upper_share") === null) return null;
  const shouted = value("inserted_shouted_share");
  const words = `${percent(value("inserted_upper_share"))} capital letters in the added words`;
  return shouted ? `${words}, ${percent(shouted)} of the words in capitals only` : words;
}

function lengths(value) {
  const [mean, longest] = [value("inserted_word_length"), value("inserted_longest_word")];
  if (mean === null) return null;
  const words = `added words of ${mean.toFixed(1)} letters on average`;
  return longest === null ? words : `${words}, the longest of ${rounded(longest)}`;
}

function summary(value) {
  const [present, length] = [value("comment_present"), value("comment_length")];
  if (present === null) return null;
  return present ? `an edit summary of ${counted(length ?? 0, "character")}` : "no edit summary";
}

const NONE_ADDED = "no words were added";
const NONE_REMOVED = "no words were removed";
const NO_SUMMARY = "the edit summary: not known";

const GROUPS = [
  {
    features: [
      "words_inserted", "words_removed", "characters_inserted", "characters_removed", "only_inserts", "only_removes",
      "no_words_changed", "inserted_share",
    ],
    absent: "how many words were added or removed: not known",
    say: wordsChanged,
  },
  single("words_kept", "words kept: not known", (kept) => `${counted(kept, "word")} of the changed lines kept`),
  single("replacement_overlap", "no words were replaced by others",
    (share) => `the added words are spelled ${likeness(share)} like the removed ones`),
  single("inserted_in_context", NONE_ADDED,
    (share) => `the added words are ${likeness(share)} like the text that was there`),
  {
    features: ["inserted_upper_share", "inserted_shouted_share"],
    absent: "capital letters in the added words: none",
    say: capitals,
  },
  single("inserted_capitalised_share", NONE_ADDED,
    (share) => `${portion(share)} of the added words begin with a capital letter`),
  single("inserted_digit_share", NONE_ADDED, (share) => `${percent(share)} digits in the added words`),
  {
    features: [
      "inserted_distinct_share", "inserted_diversity", "inserted_most_frequent_share", "inserted_compressibility",
    ],
    absent: NONE_ADDED,
    say: (value) => value("inserted_distinct_share") === null ? null
      : value("inserted_distinct_share") === 1 ? "no added word is repeated"
      : `${percent(1 - value("inserted_distinct_share"))} of the added words repeat another`,
  },
  { features: ["inserted_word_length", "inserted_longest_word"], absent: NONE_ADDED, say: lengths },
  single("inserted_longest_run", NONE_ADDED, (run) => run < 3
    ? "no character repeated over and over"
    : `a character ${rounded(run)} times in a row`),
  single("inserted_minority_script_share", NONE_ADDED,
    (share) => `${portion(share)} of the added letters are of another script than the rest`),
  flag("inserted_foreign_script_share", "added words in another script than the text", "added words in the text’s script",
    "the script of the added words: not known"),
  single("inserted_exclamations", NONE_ADDED, (n) => `${counted(n, "exclamation or question mark")} added`),
  single("inserted_emoji", NONE_ADDED, (n) => `${counted(n, "emoji", "emoji")} added`),
  single("removed_upper_share", NONE_REMOVED, (share) => `${percent(share)} capital letters in the removed words`),
  single("removed_digit_share", NONE_REMOVED, (share) => `${percent(share)} digits in the removed words`),
  single("removed_word_length", NONE_REMOVED, (mean) => `removed words of ${mean.toFixed(1)} letters on average`),
  single("removed_exclamations", NONE_REMOVED, (n) => `${counted(n, "exclamation or question mark")} removed`),
  change("references", "reference"),
  change("external_links", "web address", "web addresses"),
  change("tags", "HTML tag"),
  change("wikilinks", "link to another page", "links to other pages"),
  change("templates", "template or parameter", "templates or parameters"),
  change("categories", "category", "categories"),
  change("media", "image or media file", "images or media files"),
  change("headings", "heading"),
  change("table_rows", "table row"),
  change("list_items", "list item"),
  change("bold_italic", "bold or italic mark"),
  change("lines", "line"),
  {
    features: ["comment_present", "comment_length", "comment_links", "comment_upper_share", "comment_longest_run"],
    absent: NO_SUMMARY,
    say: summary,
  },
  flag("comment_names_section", "made in one section", "not made in a section of its own", NO_SUMMARY),
  flag("is_minor", "marked as minor", "not marked as minor", "marked as minor or not: not known"),
  {
    features: ["user_is_anonymous", "user_is_temporary"],
    absent: "whether the editor is registered: not known",
    say: editor,
  },
  { features: ["user_edit_count", "user_age"], absent: "the editor’s edits and the age of the account: not known", say: experience },
  {
    features: ["user_is_bot", "user_is_bot_or_admin", "user_is_privileged"],
    absent: "the editor’s rights: not known",
    say: rights,
  },
  single("seconds_since_parent", "the time since the edit before: not known",
    (seconds) => `${duration(seconds)} after the edit before`),
  flag("parent_user_is_anonymous", "the edit before was by an unregistered editor",
    "the edit before was by a registered editor", "who made the edit before: not known"),
  single("old_length", "the length of the page: not known", (length) => `a page of ${counted(length, "character")} before`),
  single("removed_share_of_page", "the removed share of the page: not known",
    (share) => share ? `${percent(share)} of the page removed` : "nothing of the page removed"),
  flag("namespace_is_main", "an article", "not an article", "the kind of page: not known"),
  flag("is_mobile", "made on a mobile device", "not made on a mobile device", "the device: not known"),
  flag("is_visual", "made with the visual editor", "not made with the visual editor", "the way of editing: not known"),
  { features: ["inserted_text"], say: () => "the added words themselves" },
  { features: ["removed_text"], say: () => "the removed words themselves" },
  { features: ["comment_text"], say: () => "the words of the edit summary" },
];
const GROUP_OF = new Map(GROUPS.flatMap((group) => group.features.map((name) => [name, group])));

/** The feature table of `revertrisk.scoring`, name by name: meaning and unit. A test holds the two together. */
const MEANINGS = {
  "words_inserted": ["words that the changed lines gained", "words"],
  "words_removed": ["words that the changed lines lost", "words"],
  "words_kept": ["words of the changed lines that stayed", "words"],
  "characters_inserted": ["length of the inserted words", "characters"],
  "characters_removed": ["length of the removed words", "characters"],
  "only_inserts": ["words were inserted and none removed", "0 or 1"],
  "only_removes": ["words were removed and none inserted", "0 or 1"],
  "no_words_changed": ["neither: markup, order or spaces changed", "0 or 1"],
  "inserted_share": ["inserted among inserted and removed words", "share"],
  "replacement_overlap": ["likeness in spelling of inserted and removed words", "share"],
  "inserted_in_context": ["character pairs of the inserted words found in the old lines", "share"],
  "inserted_upper_share": ["capitals among cased letters of inserted words", "share"],
  "inserted_shouted_share": ["inserted words of two or more letters in capitals only", "share"],
  "inserted_capitalised_share": ["inserted cased words that begin with a capital", "share"],
  "inserted_digit_share": ["digits among the characters of inserted words", "share"],
  "inserted_distinct_share": ["distinct words among inserted words", "share"],
  "inserted_word_length": ["mean length of inserted words, single characters of unspaced scripts apart", "characters"],
  "inserted_longest_word": ["longest inserted word", "characters"],
  "inserted_longest_run": ["longest repetition of one character in inserted words", "characters"],
  "inserted_diversity": ["distinct characters to the square root of all, inserted words", "ratio"],
  "inserted_most_frequent_share": ["most frequent character of inserted words", "share"],
  "inserted_compressibility": ["compressed to plain size of inserted words", "ratio"],
  "inserted_minority_script_share": ["letters outside the main script of inserted words", "share"],
  "inserted_foreign_script_share": ["inserted words in another main script than the old lines (0 or 1)", "share"],
  "inserted_exclamations": ["exclamation and question marks inserted", "marks"],
  "inserted_emoji": ["emoji and other pictographs inserted", "symbols"],
  "removed_upper_share": ["capitals among cased letters of removed words", "share"],
  "removed_digit_share": ["digits among the characters of removed words", "share"],
  "removed_word_length": ["mean length of removed words, as above", "characters"],
  "removed_exclamations": ["exclamation and question marks removed", "marks"],
  "references_gained": ["opening <ref> tags, net gained", "occurrences"],
  "references_lost": ["opening <ref> tags, net lost", "occurrences"],
  "external_links_gained": ["web addresses, net gained", "occurrences"],
  "external_links_lost": ["web addresses, net lost", "occurrences"],
  "tags_gained": ["opening HTML-like tags, references included, net gained", "occurrences"],
  "tags_lost": ["opening HTML-like tags, references included, net lost", "occurrences"],
  "wikilinks_gained": ["internal links, net gained", "occurrences"],
  "wikilinks_lost": ["internal links, net lost", "occurrences"],
  "templates_gained": ["template calls and parameters, net gained", "occurrences"],
  "templates_lost": ["template calls and parameters, net lost", "occurrences"],
  "categories_gained": ["categories: links with a prefix, alone on their line, net gained", "occurrences"],
  "categories_lost": ["categories: links with a prefix, alone on their line, net lost", "occurrences"],
  "media_gained": ["names of media files, net gained", "occurrences"],
  "media_lost": ["names of media files, net lost", "occurrences"],
  "headings_gained": ["section headings, net gained", "occurrences"],
  "headings_lost": ["section headings, net lost", "occurrences"],
  "table_rows_gained": ["tables and table rows, net gained", "occurrences"],
  "table_rows_lost": ["tables and table rows, net lost", "occurrences"],
  "list_items_gained": ["list items and indented lines, net gained", "occurrences"],
  "list_items_lost": ["list items and indented lines, net lost", "occurrences"],
  "bold_italic_gained": ["runs of apostrophes that set bold or italic, net gained", "occurrences"],
  "bold_italic_lost": ["runs of apostrophes that set bold or italic, net lost", "occurrences"],
  "lines_gained": ["changed lines after the edit, more than before", "lines"],
  "lines_lost": ["changed lines before the edit, more than after", "lines"],
  "comment_present": ["there is a comment besides a section's name", "0 or 1"],
  "comment_length": ["the comment's length without a section's name", "characters"],
  "comment_names_section": ["the edit was made in one section", "0 or 1"],
  "comment_links": ["internal links in the comment", "links"],
  "comment_upper_share": ["capitals among cased letters of the comment", "share"],
  "comment_longest_run": ["longest repetition of one character in the comment", "characters"],
  "is_minor": ["marked as minor by its author", "0 or 1"],
  "user_is_anonymous": ["not logged in: an IP address or a temporary account", "0 or 1"],
  "user_is_temporary": ["a temporary account", "0 or 1"],
  "user_edit_count": ["edits of the account at the edit, which may count this one; unknown for anonymous authors", "edits"],
  "user_age": ["age of the account at the edit; unknown for anonymous authors", "days"],
  "user_is_bot": ["a bot account", "0 or 1"],
  "user_is_bot_or_admin": ["a bot account or an administrator", "0 or 1"],
  "user_is_privileged": ["in a group that somebody must grant", "0 or 1"],
  "seconds_since_parent": ["time between the parent revision and this one", "seconds"],
  "parent_user_is_anonymous": ["the parent's author was not logged in", "0 or 1"],
  "old_length": ["length of the whole text before the edit", "characters"],
  "removed_share_of_page": ["removed words, in characters, of the text before the edit", "share"],
  "namespace_is_main": ["an article", "0 or 1"],
  "is_mobile": ["made on a mobile site or in an app", "0 or 1"],
  "is_visual": ["made with the visual editor", "0 or 1"]
};
