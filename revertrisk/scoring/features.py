"""Computes the features of an edit.

`extract` takes a `Revision`. `describe` does the same for a data set that has only the changed lines and some facts.
Training and serving both use this code. It reads no clock, contains no list of words, and keeps nothing that identifies
an author. An unknown feature is None. `feature_table` lists the features; the words of the change are returned as well,
for models that read words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from revertrisk.scoring import changes, characters, markup
from revertrisk.scoring.changes import Change, WordChange
from revertrisk.scoring.feature_table import FEATURES, MARKUP_MEANINGS, Group
from revertrisk.scoring.revision import Revision
from revertrisk.wiki.user_kinds import PRIVILEGED_GROUPS, UserKind


@dataclass(frozen=True, slots=True)
class ChangedText:
    """The texts of an edit that a model with words reads; each is empty if there is none or it is unknown."""

    inserted: str = field(default="", repr=False)
    """The inserted words, joined by spaces."""
    removed: str = field(default="", repr=False)
    comment: str = field(default="", repr=False)
    """The comment without the name of a section."""


@dataclass(frozen=True, slots=True)
class Features:
    """The features of one edit: values by name, None for unknown, and the words of the change."""

    values: Mapping[str, float | None]
    changed_bytes: int
    """The size in UTF-8 of the changed lines, old and new; a caller can limit its work by it."""
    text: ChangedText = ChangedText()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditFacts:
    """What is known about an edit besides its changed lines. None means unknown."""

    user_kind: UserKind = UserKind.UNKNOWN
    user_edit_count: int | None = None
    user_age_seconds: float | None = None
    user_is_bot: bool | None = None
    user_groups: frozenset[str] | None = None
    comment: str | None = None
    is_minor: bool | None = None
    tags: frozenset[str] | None = None
    seconds_since_parent: float | None = None
    parent_user_kind: UserKind = UserKind.UNKNOWN
    namespace_id: int | None = None

    @classmethod
    def of(cls, revision: Revision) -> "EditFacts":
        """Take the facts from a revision."""
        user, parent = revision.user, revision.parent
        return cls(
            user_kind=user.kind,
            user_edit_count=user.edit_count,
            user_age_seconds=_seconds(user.registered_at, revision.timestamp),
            user_is_bot=user.is_bot,
            user_groups=user.groups,
            comment=revision.comment,
            is_minor=revision.is_minor,
            tags=revision.tags,
            seconds_since_parent=_seconds(parent.timestamp, revision.timestamp),
            parent_user_kind=parent.user_kind,
            namespace_id=revision.page.namespace_id,
        )


def extract(revision: Revision) -> Features:
    """Return the features of a revision. A pure function, in time linear in the size of the texts.

    At most `changes.CHANGED_CHARACTERS_READ` characters of the changed lines are read on each side.
    """
    return describe(changes.between(revision.parent.text, revision.text), EditFacts.of(revision))


def describe(
    change: Change,
    facts: EditFacts,
    *,
    missing_groups: frozenset[Group] = frozenset(),
    overrides: Mapping[str, float | None] | None = None,
) -> Features:
    """Return the features of a change and of what else is known about the edit.

    `missing_groups` are the groups that a data set does not have. Their features become unknown, also those that could
    be computed from its text. `overrides` replaces single features: by values that the data set states, or by None.
    """
    difference = changes.words(change)
    own_comment = without_section_names(facts.comment or "").strip()
    values: dict[str, float | None] = dict.fromkeys(_NAMES)
    values |= _word_features(difference)
    values |= _markup_features(change)
    values |= _comment_features(facts.comment, own_comment)
    values |= _user_features(facts)
    values |= _other_features(facts)
    values["old_length"] = change.old_length
    if change.old_length is not None:
        removed = values["characters_removed"] or 0.0
        values["removed_share_of_page"] = min(1.0, removed / max(1, change.old_length))
    if missing_groups:
        values |= {name: None for name in values if _GROUPS[name] in missing_groups}
    values |= overrides or {}
    return Features(
        MappingProxyType(values),
        change.changed_bytes,
        ChangedText(
            inserted="" if Group.WORDS in missing_groups else " ".join(difference.inserted),
            removed="" if Group.WORDS in missing_groups else " ".join(difference.removed),
            comment="" if Group.COMMENT in missing_groups else own_comment,
        ),
    )


def without_section_names(comment: str) -> str:
    """Return a comment without the section names, ``/* … */``, that a wiki puts into it."""
    # No regular expression: it would read to the end of the text from each "/*" that is not closed (quadratic time).
    kept, at = [], 0
    while (start := comment.find("/*", at)) >= 0 and (end := comment.find("*/", start + 2)) >= 0:
        kept.append(comment[at:start])
        at = end + 2
    return "".join([*kept, comment[at:]])


_MARKS = frozenset("!?\u00a1\u00bf\u061f\uff01\uff1f")
_BOT_AND_ADMIN = frozenset({"bot", "sysop"})
_NAMES = tuple(feature.name for feature in FEATURES)
_GROUPS = {feature.name: feature.group for feature in FEATURES}


def _word_features(difference: WordChange) -> dict[str, float | None]:
    inserted, removed = difference.inserted, difference.removed
    inserted_text, removed_text = " ".join(inserted), " ".join(removed)
    after, before = characters.describe(inserted_text), characters.describe(removed_text)
    cased = [word for word in inserted if word.upper() != word.lower()]
    return {
        "words_inserted": len(inserted),
        "words_removed": len(removed),
        "words_kept": difference.kept,
        "characters_inserted": len(inserted_text),
        "characters_removed": len(removed_text),
        "only_inserts": float(bool(inserted) and not removed),
        "only_removes": float(bool(removed) and not inserted),
        "no_words_changed": float(not inserted and not removed),
        "inserted_share": _ratio(len(inserted), len(inserted) + len(removed)),
        "replacement_overlap": characters.overlap(inserted_text, removed_text),
        "inserted_in_context": characters.containment(inserted_text, difference.context),
        "inserted_upper_share": after.upper_share,
        "inserted_shouted_share": _ratio(sum(len(word) > 1 and word.isupper() for word in cased), len(cased)),
        "inserted_capitalised_share": _ratio(sum(word[0].isupper() for word in cased), len(cased)),
        "inserted_digit_share": after.digit_share,
        "inserted_distinct_share": _ratio(len(set(inserted)), len(inserted)),
        "inserted_word_length": _mean_word_length(inserted),
        "inserted_longest_word": max(map(len, inserted), default=0),
        "inserted_longest_run": characters.longest_run(inserted_text),
        "inserted_diversity": after.diversity,
        "inserted_most_frequent_share": after.most_frequent_share,
        "inserted_compressibility": characters.compressibility(inserted_text),
        "inserted_minority_script_share": after.minority_script_share,
        "inserted_foreign_script_share": _differ(
            after.main_script, characters.main_script(difference.context)
        ),
        "inserted_exclamations": sum(len(word) for word in inserted if word[0] in _MARKS),
        "inserted_emoji": after.emoji,
        "removed_upper_share": before.upper_share,
        "removed_digit_share": before.digit_share,
        "removed_word_length": _mean_word_length(removed),
        "removed_exclamations": sum(len(word) for word in removed if word[0] in _MARKS),
    }


def _markup_features(change: Change) -> dict[str, float | None]:
    old, new = markup.count(change.old_lines), markup.count(change.new_lines)
    values: dict[str, float | None] = {}
    for name in MARKUP_MEANINGS:
        gain = getattr(new, name) - getattr(old, name)
        values[f"{name}_gained"], values[f"{name}_lost"] = max(0, gain), max(0, -gain)
    gain = _lines(change.new_lines) - _lines(change.old_lines)
    values["lines_gained"], values["lines_lost"] = max(0, gain), max(0, -gain)
    return values


def _comment_features(comment: str | None, own: str) -> dict[str, float | None]:
    if comment is None:
        return {}
    return {
        "comment_present": float(bool(own)),
        "comment_length": len(own),
        "comment_names_section": float(len(without_section_names(comment)) < len(comment)),
        "comment_links": own.count("[["),
        "comment_upper_share": characters.describe(own).upper_share,
        "comment_longest_run": characters.longest_run(own),
    }


def _user_features(facts: EditFacts) -> dict[str, float | None]:
    kind, groups = facts.user_kind, facts.user_groups
    anonymous = kind.is_anonymous is True
    # The age and the edit count of an IP address or a temporary account say nothing about the person.
    return {
        "user_is_anonymous": _flag(kind.is_anonymous),
        "user_is_temporary": _flag(None if kind is UserKind.UNKNOWN else kind is UserKind.TEMPORARY),
        "user_edit_count": None if anonymous else facts.user_edit_count,
        "user_age": None if anonymous or facts.user_age_seconds is None else facts.user_age_seconds / 86_400,
        "user_is_bot": _flag(False if anonymous else facts.user_is_bot),
        "user_is_bot_or_admin": _flag(False if anonymous else _is_bot_or_admin(facts.user_is_bot, groups)),
        "user_is_privileged": _flag(
            False if anonymous else None if groups is None else not PRIVILEGED_GROUPS.isdisjoint(groups)
        ),
    }


def _is_bot_or_admin(is_bot: bool | None, groups: frozenset[str] | None) -> bool | None:
    if is_bot or (groups is not None and not _BOT_AND_ADMIN.isdisjoint(groups)):
        return True
    return None if is_bot is None or groups is None else False


def _other_features(facts: EditFacts) -> dict[str, float | None]:
    tags = facts.tags
    return {
        "is_minor": _flag(facts.is_minor),
        "seconds_since_parent": facts.seconds_since_parent,
        "parent_user_is_anonymous": _flag(facts.parent_user_kind.is_anonymous),
        "namespace_is_main": None if facts.namespace_id is None else float(facts.namespace_id == 0),
        "is_mobile": None if tags is None else float("mobile edit" in tags),
        "is_visual": None if tags is None else float("visualeditor" in tags),
    }


def _seconds(earlier: datetime | None, later: datetime) -> float | None:
    """Return the seconds between two moments; 0 if the second is earlier (imported revisions, wrong clocks)."""
    return None if earlier is None else max(0.0, (later - earlier).total_seconds())


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0


def _flag(value: bool | None) -> float | None:
    return None if value is None else float(value)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _differ(script: str | None, other: str | None) -> float | None:
    return None if script is None or other is None else float(script != other)


def _mean_word_length(words: tuple[str, ...]) -> float | None:
    lengths = [len(word) for word in words if len(word) > 1 and word[0] not in _MARKS]
    return sum(lengths) / len(lengths) if lengths else None
