"""Titles of pages in the one spelling that a wiki stores."""


def normalised_title(text: str) -> str:
    """Return the title that a text means: spaces for underscores, one at a time, and a capital at the start."""
    spaced = " ".join(text.replace("_", " ").split())
    return spaced[:1].upper() + spaced[1:]
