"""What an edit changed: the lines that differ, and the words that were inserted and removed.

Most edits change a small part of a large page. So the common prefix and suffix of both texts are cut off first, then
the lines that both have. Only the rest is compared word by word. Each step is a multiset difference and not an
alignment: its time is linear in the input for every text, and a paragraph that was only moved counts as unchanged.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CHANGED_CHARACTERS_READ = 32_768
"""The number of characters of the changed lines that are read on each side. The rest only counts as size."""

CONTEXT_CHARACTERS = 2_048
"""The number of characters of the old lines' words that are kept, to compare the inserted words with."""

_LARGEST_STEP = 16_384
_LINES_COMPARED = 20_000
"""A region with more lines than this on one side counts as changed as a whole; its lines are not compared."""

# Scripts that are written without spaces: each character is a token, since a run of letters may be a sentence.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Characters that are not part of a word: spaces, ASCII punctuation, the general and the CJK punctuation blocks.
# Combining marks are part of a word: Python's \w would split Indic and Thai words at every vowel sign.
_SEPARATORS = (
    r"\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xbf\u00d7\u00f7\u060c\u061b\u061f\u06d4\u0964\u0965"
    r"\u2000-\u2bff\u2e00-\u2e7f\u3000-\u303f\ud800-\udfff\ufe0f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
    "\U0001f000-\U0001faff"
)
_TOKEN = re.compile(
    rf"[{_UNSPACED}]|[^{_SEPARATORS}{_UNSPACED}]+|[!?\u00a1\u00bf\u061f\uff01\uff1f]+"
    "|[\u2600-\u27bf\U0001f000-\U0001faff]+"
)
_INVISIBLE = re.compile(r"<!--|-->|</?[a-zA-Z][^<>]{0,400}>")
# The header row of a table: its exclamation marks separate cells.
_HEADER_ROW = re.compile(r"^!.*$", re.MULTILINE)
# A link counts as markup, including its words: the texts that word features are trained on have no links.
_LINK = re.compile(r"\[\[[^\[\]\n]{0,400}\]\]")
# A run of characters with a slash or an underscore: addresses and file names. The look-behind lets a match start
# only at the start of a run. Without it the time would be quadratic in the length of a run.
_ADDRESS = re.compile(r"(?<![^\s\[\]|<>{}])[^\s\[\]|<>{}/_]*[/_][^\s\[\]|<>{}]*")


@dataclass(frozen=True, slots=True)
class Change:
    """The lines that an edit removed and inserted, and the length of the whole text before and after."""

    old_lines: str
    """The changed lines before the edit, joined by line feeds, at most `CHANGED_CHARACTERS_READ` characters."""
    new_lines: str
    """The changed lines after the edit, in the same form."""
    changed_bytes: int
    """The size in UTF-8 of all changed lines of both sides, before they are cut off."""
    old_length: int | None
    """Characters of the whole text before the edit; None if the source has the changed lines only."""
    new_length: int | None
    """Characters of the whole text after the edit; None in the same case."""


@dataclass(frozen=True, slots=True)
class WordChange:
    """The words of the changed lines that one side has more often than the other, in the order of the text."""

    removed: tuple[str, ...]
    inserted: tuple[str, ...]
    kept: int
    """The number of words of the changed lines that both sides have."""
    context: str
    """The words of the changed lines before the edit, joined by spaces, at most `CONTEXT_CHARACTERS`."""


def between(old: str, new: str) -> Change:
    """Find the lines that differ between two texts, in time linear in their size.

    Every string is accepted: lone surrogates and NUL are ordinary characters here.
    """
    start, end = common_affixes(old, new)
    start = old.rfind("\n", 0, start) + 1  # whole lines: part of a line does not show its markup
    old_region = _through_line_end(old, start, end)
    new_region = _through_line_end(new, start, end)
    if max(old_region.count("\n"), new_region.count("\n")) <= _LINES_COMPARED:
        old_lines, new_lines = old_region.split("\n"), new_region.split("\n")
        removed, inserted = _surplus(old_lines, new_lines), _surplus(new_lines, old_lines)
        old_region, new_region = "\n".join(removed), "\n".join(inserted)
    return _change(old_region, new_region, len(old), len(new))


def of_lines(
    old_lines: str, new_lines: str, *, old_length: int | None = None, new_length: int | None = None
) -> Change:
    """Describe an edit of which only the changed lines are known, as in most labelled data sets."""
    change = between(old_lines, new_lines)
    return _change(change.old_lines, change.new_lines, old_length, new_length)


def words(change: Change) -> WordChange:
    """Compare the changed lines word by word, without tags, links and addresses."""
    old, new = _tokens(change.old_lines), _tokens(change.new_lines)
    removed, inserted = _surplus(old, new), _surplus(new, old)
    return WordChange(
        tuple(removed), tuple(inserted), len(new) - len(inserted), " ".join(old)[:CONTEXT_CHARACTERS]
    )


def _change(old_region: str, new_region: str, old_length: int | None, new_length: int | None) -> Change:
    return Change(
        old_lines=old_region[:CHANGED_CHARACTERS_READ],
        new_lines=new_region[:CHANGED_CHARACTERS_READ],
        changed_bytes=_utf8_length(old_region) + _utf8_length(new_region),
        old_length=old_length,
        new_length=new_length,
    )


def common_affixes(old: str, new: str) -> tuple[int, int]:
    """Return the lengths of the common prefix and of the common suffix of two texts. They do not overlap."""
    shorter = min(len(old), len(new))
    # Comparing two slices is one memcmp. The first steps have a size that fits into the processor's cache. Then the
    # step is halved each time, so that few comparisons find the first difference.
    start, step = 0, _LARGEST_STEP
    while step:
        while start + step <= shorter and new.startswith(old[start : start + step], start):
            start += step
        step //= 2
    end, step, room = 0, _LARGEST_STEP, shorter - start
    while step:
        while end + step <= room and new.startswith(
            old[len(old) - end - step : len(old) - end], len(new) - end - step
        ):
            end += step
        step //= 2
    return start, end


def _through_line_end(text: str, start: int, common_end: int) -> str:
    """Return the text from `start` to the end of the line on which the common suffix starts."""
    if common_end == 0:
        return text[start:]
    stop = text.find("\n", len(text) - common_end)
    # If the common suffix starts with a line feed, the line before it is the last changed line.
    return text[start:] if stop < 0 else text[start:stop]


def _surplus(items: Sequence[str], others: Iterable[str]) -> list[str]:
    """Return the multiset difference of `items` and `others`, in the order of `items`.

    Each of `others` removes the first equal item that is left.
    """
    surplus = Counter(others)
    kept: list[str] = []
    for item in items:
        if surplus[item] > 0:
            surplus[item] -= 1
        else:
            kept.append(item)
    return kept


def _tokens(lines: str) -> list[str]:
    # Most edits have none of these delimiters, and a search for one is much cheaper than a substitution.
    visible = _INVISIBLE.sub(" ", lines) if "<" in lines or "-->" in lines else lines
    visible = _LINK.sub(" ", visible) if "[[" in visible else visible
    visible = _ADDRESS.sub(" ", visible) if "/" in visible or "_" in visible else visible
    if visible.startswith("!") or "\n!" in visible:
        visible = _HEADER_ROW.sub(lambda row: row[0].replace("!", " "), visible)
    visible = visible.replace("'", "").replace("\u2019", "")
    # A single ASCII letter is dropped: it is more often a fragment of a word than a word.
    return [
        word
        for word in _TOKEN.findall(visible)
        if len(word) > 1 or not word.isascii() or word.isdigit() or word in "!?"
    ]


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
