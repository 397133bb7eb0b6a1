"""Computes the inputs of the teachers: revscoring's features of wikitext, comment and author, by revscoring's names.

They count tokens over whole pages. Here the counts of a page are the sums of the counts of its lines, and the counts of
a line are cached. So an edit takes time in proportion to its changed lines. The lists of features are in
https://github.com/wikimedia/editquality (feature_lists/wikitext.py and mediawiki.py). Features that need a list of
words or a dictionary are left out; a teacher uses the centre of its scaler instead.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Final

from revertrisk.scoring.revision import Revision
from revertrisk.wiki.user_kinds import UserKind

_TOKEN: Final = re.compile(
    r"(?P<url>(?:https?|ftp)://[^\s\[\]<>\"|{}]+)"
    r"|(?P<markup>\[\[|\]\]|\{\{|\}\}|\{\||\|\}|'''|''|={2,6}|[\[\]{}])"
    r"|(?P<number>\d[\d.,]*)"
    r"|(?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)*)"
    r"|(?P<space>[ \t]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_HEADING_OPENS: Final = re.compile(r"={1,6}[^=]")
_REPEATED: Final = re.compile(r"(.)\1+")
_SECTION: Final = re.compile(r"/\* [^\n]+ \*/")
_KINDS: Final = ("markup", "number", "uppercase_word")
_TOTALS: Final = (
    "chars", "tokens", "words", "uppercase_words", "markups", "headings", "wikilinks", "external_links", "templates",
    "ref_tags",
)  # fmt: skip
_CACHED_LINES: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Line:
    """The counts of one line."""

    totals: tuple[int, ...]
    """In the order of `_TOTALS`."""
    kinds: tuple[Counter[str], ...]
    """For each of `_KINDS`, the number of times of each token."""
    longest_token: int
    longest_run: int


@dataclass(slots=True)
class _Page:
    """The counts of one revision's text."""

    lines: Counter[str]
    totals: list[int] = field(default_factory=lambda: [0] * len(_TOTALS))
    kinds: tuple[Counter[str], ...] = field(default_factory=lambda: tuple(Counter() for _ in _KINDS))


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of an author as the teachers have them: 0 or 1 each."""

    is_bot: int = 0
    is_admin: int = 0
    is_patroller: int = 0
    is_trusted: int = 0

    def named(self) -> dict[str, float]:
        """Return the rights by revscoring's names. Rights that are not drawn here are 0."""
        return {
            "revision.user.is_bot": float(self.is_bot),
            "revision.user.has_advanced_rights": 0.0,
            "revision.user.is_admin": float(self.is_admin),
            "revision.user.is_trusted": float(self.is_trusted),
            "revision.user.is_patroller": float(self.is_patroller),
            "revision.user.is_curator": 0.0,
        }


def text_features(revisions: Iterable[Revision]) -> Iterator[tuple[Revision, dict[str, float]]]:
    """Yield each edit with the teachers' features of its texts and comment, by name.

    If the parent of an edit is the edit before it, only the changed lines are counted, otherwise the whole page.
    """
    rev_id, page = None, _Page(Counter())
    for revision in revisions:
        if rev_id != revision.parent.rev_id:
            page = _Page(Counter())
            _change(page, revision.parent.text)
        parent_totals = tuple(page.totals)
        longest_before = _longest(page.lines)
        differences = _change(page, revision.text)
        rev_id = revision.rev_id
        yield (
            revision,
            {
                **_parent(parent_totals),
                **_changes(parent_totals, page.totals),
                **_deltas(page.kinds, differences),
                **_longest_new(longest_before, _longest(page.lines)),
                **_comment(revision.comment),
            },
        )


def author_features(kind: UserKind, rights: Rights | None) -> dict[str, float]:
    """Return the teachers' features of an author, by name. The account's age, and rights that are None, are unknown."""
    known: dict[str, float] = {}
    if kind.is_anonymous is not None:
        known["revision.user.is_anon"] = float(kind.is_anonymous)
    if kind.is_anonymous:
        known |= Rights().named()
        known["log((temporal.revision.user.seconds_since_registration + 1))"] = 0.0
    elif rights is not None:
        known |= rights.named()
    return known


def _change(page: _Page, text: str) -> tuple[Counter[str], ...]:
    """Replace the text of a page, and return the changes of the token counts, for each of `_KINDS`.

    Only the lines that differ are counted: their multiset difference, with a negative number for removed lines.
    """
    lines = Counter(text.split("\n"))
    differences: tuple[Counter[str], ...] = tuple(Counter() for _ in _KINDS)
    changed = dict(lines - page.lines)
    changed |= {line: -number for line, number in (page.lines - lines).items()}
    for text_line, number in changed.items():
        counts = _line(text_line)
        for index, total in enumerate(counts.totals):
            page.totals[index] += number * total
        for difference, kind in zip(differences, counts.kinds, strict=True):
            for token, times in kind.items():
                difference[token] += number * times
    for kind, difference in zip(page.kinds, differences, strict=True):
        kind.update(difference)
    page.lines = lines
    return differences


@lru_cache(maxsize=_CACHED_LINES)
def _line(text: str) -> _Line:
    """Return the counts of a line, including the line feed at its end."""
    markup: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    capitals: Counter[str] = Counter()
    tokens, words, longest = 1, 0, 0
    for match in _TOKEN.finditer(text):
        tokens += 1
        token, kind = match[0], match.lastgroup
        longest = max(longest, len(token))
        if kind == "word":
            words += 1
            if len(token) > 1 and all(character.lower() != character for character in token):
                capitals[token] += 1
        elif kind == "markup":
            markup[token] += 1
        elif kind == "number":
            numbers[token] += 1
    totals = (
        len(text) + 1, tokens, words, capitals.total(), markup.total(), int(_is_heading(text)),
        text.count("[["), text.count("://"), text.count("{{"), text.lower().count("<ref"),
    )  # fmt: skip
    run = max((len(match[0]) for match in _REPEATED.finditer(text)), default=1)
    return _Line(totals, (markup, numbers, capitals), longest, run)


def _longest(lines: Iterable[str]) -> tuple[int, int]:
    found = [_line(line) for line in lines]
    return max((line.longest_token for line in found), default=0), max(
        (line.longest_run for line in found), default=1
    )


def _parent(totals: tuple[int, ...]) -> dict[str, float]:
    count = dict(zip(_TOTALS, totals, strict=True))
    words, tokens = max(count["words"], 1), max(count["tokens"], 1)
    known = {
        f"log((wikitext.revision.parent.{name} + 1))": math.log1p(count[name])
        for name in ("chars", "headings", "wikilinks", "external_links", "templates", "ref_tags")
    }
    # Two versions of revscoring have two names for the same count.
    for name, source in (
        ("tokens", "tokenized(datasource.revision.parent.text)"),
        ("words", "wikitext.revision.parent.words"),
        ("uppercase_words", "wikitext.revision.parent.uppercase_words"),
    ):
        for form in ("AggregatorsScalar", "len"):
            known[f"log(({form}(<datasource.{source}>) + 1))"] = math.log1p(count[name])
    return known | {
        "revision.parent.chars_per_word": count["chars"] / words,
        "revision.parent.words_per_token": count["words"] / tokens,
        "revision.parent.uppercase_words_per_word": count["uppercase_words"] / words,
        "revision.parent.markups_per_token": count["markups"] / tokens,
    }


def _changes(before: Iterable[int], after: Iterable[int]) -> dict[str, float]:
    gained = dict(zip(_TOTALS, (new - old for old, new in zip(before, after, strict=True)), strict=True))
    return {f"revision.diff.{name}_change": float(gain) for name, gain in gained.items()}


def _deltas(after: tuple[Mapping[str, int], ...], differences: tuple[Counter[str], ...]) -> dict[str, float]:
    """Return the sums of the changes of token counts: plain, and divided by the count before the edit (or by 1)."""
    known: dict[str, float] = {}
    for kind, counts, difference in zip(_KINDS, after, differences, strict=True):
        plain, proportional = [], []
        for token, change in difference.items():
            if change:
                plain.append(float(change))
                # `counts` are those after the edit; minus the change, they are those before it.
                proportional.append(change / max(1, counts[token] - change))
        for name, values in (("delta", plain), ("prop_delta", proportional)):
            stem = f"wikitext.revision.diff.{kind}_{name}"
            known[f"{stem}_sum"] = sum(values)
            known[f"{stem}_increase"] = sum(value for value in values if value > 0)
            known[f"{stem}_decrease"] = sum(value for value in values if value < 0)
    return known


def _longest_new(before: tuple[int, int], after: tuple[int, int]) -> dict[str, float]:
    names = ("longest_new_token", "longest_new_repeated_char")
    return {
        f"revision.diff.{name}": float(new if new > old else 1)
        for name, old, new in zip(names, before, after, strict=True)
    }


def _comment(comment: str | None) -> dict[str, float]:
    if comment is None:
        return {}
    return {
        "revision.comment.suggests_section_edit": float(_SECTION.match(comment) is not None),
        "revision.comment.has_link": float(_has_link(comment)),
    }


def _is_heading(line: str) -> bool:
    """Return whether a line starts with one to six equals signs and ends with one.

    A regular expression for both ends would take quadratic time.
    """
    opening = _HEADING_OPENS.match(line)
    closed = line.rstrip()
    return opening is not None and closed.endswith("=") and len(closed) > opening.end()


def _has_link(comment: str) -> bool:
    """Return whether there is ``[[``, then at least one character and no ``]``, then ``]]``."""
    parts = comment.split("]")
    return any(
        "[[" in part and part.index("[[") + len("[[") < len(part) and not after
        for part, after in pairwise(parts[:-1])
    )
