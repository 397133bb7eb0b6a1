"""The models that can be trained, and in what they differ."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of one model."""

    version: str
    reads_words: bool
    supported_wikis: frozenset[str] | None
    """None for all wikis."""


# The wikis for which production serves its multilingual model. Ours learns words from English only; it supports the
# same wikis, so that it can replace production's model without losing a wiki.
_PRODUCTION_WIKIS = frozenset(
    f"{language}wiki"
    for language in (
        "ar", "az", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "eo", "es", "et", "eu", "fa", "fi", "fr", "he",
        "hi", "hr", "hu", "hy", "id", "it", "ja", "ka", "ko", "lt", "lv", "ms", "nl", "no", "pl", "ro", "ru", "sk",
        "sl", "sr", "sv", "ta", "th", "tr", "uk", "ur", "uz", "vi", "zh",
    )
)  # fmt: skip

RECIPES = {
    "revertrisk-language-agnostic": Recipe("revertrisk-events-2", reads_words=False, supported_wikis=None),
    "revertrisk-multilingual": Recipe(
        "revertrisk-events-2", reads_words=True, supported_wikis=_PRODUCTION_WIKIS | {"testwiki"}
    ),
}
"""By the model's name."""
