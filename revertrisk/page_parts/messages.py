"""The messages of our pages: ``messages.json``, and a translation that replaces some or all of them.

A message is a text with placeholders such as ``{n}``, or an object with one text for each plural form of the language
(CLDR: zero, one, two, few, many, other) and optionally for ``"0"``.
"""

import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from revertrisk.runtime.json_documents import JsonFileError, read_json_file

NAME: Final = "messages.json"
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_HTML_PLACEHOLDER: Final = re.compile(r"\{\{([a-z0-9-]+)\}\}")
_FORMS: Final = frozenset({"0", "zero", "one", "two", "few", "many", "other"})

Messages = Mapping[str, Any]


class MessagesError(ValueError):
    """A translation cannot be used; the message names the file and the entry."""


def read_messages(translation: Path | None = None) -> dict[str, Any]:
    """Return the messages: those of the translation, and English for those that it does not have.

    Raises:
        MessagesError: the translation cannot be read, or has an unknown message or placeholder.

    """
    messages: dict[str, Any] = read_json_file(files(__package__).joinpath(NAME))[0]
    if translation is None:
        return messages
    try:
        translated, _ = read_json_file(translation)
    except JsonFileError as exc:
        raise MessagesError(f"{translation}: {exc}") from exc
    if not isinstance(translated, dict):
        raise MessagesError(f"{translation}: expected an object, as {NAME} has it")
    for key, message in translated.items():
        if key not in messages:
            raise MessagesError(f"{translation}: {key}: there is no such message")
        if not _is_message(message):
            raise MessagesError(
                f"{translation}: {key}: expected a text, or texts for one, few, many, other …"
            )
        # {n} selects the plural form, so a translation can have it although the English text does not.
        unknown = _placeholders(message) - _placeholders(messages[key]) - {"n"}
        if unknown:
            raise MessagesError(f"{translation}: {key}: the message has no placeholder {{{min(unknown)}}}")
    return messages | translated


def fill_in(html: bytes, messages: Messages) -> bytes:
    """Return a page with messages instead of ``{{key}}``; raises KeyError for an unknown key."""
    return _HTML_PLACEHOLDER.sub(lambda found: escape(messages[found[1]]), html.decode()).encode()


def _is_message(message: Any) -> bool:
    if isinstance(message, dict):
        return "other" in message and _FORMS.issuperset(message) and all(map(_is_message, message.values()))
    return isinstance(message, str)


def _placeholders(message: Any) -> set[str]:
    texts = message.values() if isinstance(message, dict) else [message]
    return {name for text in texts for name in _PLACEHOLDER.findall(text)}
