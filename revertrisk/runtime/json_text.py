"""JSON for an output of any encoding."""

import json
from typing import Any, TextIO


def json_text(document: Any, out: TextIO, *, indent: int | None = None) -> str:
    """Return a document as JSON; where the output's encoding is not UTF-8, all beyond ASCII is escaped."""
    is_utf8 = (getattr(out, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    separators = (",", ":") if indent is None else None
    return json.dumps(document, ensure_ascii=not is_utf8, indent=indent, separators=separators)
