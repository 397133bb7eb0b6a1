"""``revertrisk explain``: an explanation of an edit that is given as two files, and how one is shown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.wiki.user_kinds import UserKind


class UnexplainedError(Exception):
    """There is nothing to explain, or no way to it; the message says why."""


def explain_files(model: Path, old: Path, new: Path, user: UserKind, comment: str | None) -> dict[str, Any]:
    """Explain an edit given as the texts before and after it, of which nothing else is known."""
    classifier = TorchClassifier.load(model)
    saved = datetime.fromtimestamp(0, UTC)  # of no consequence here: no feature reads a clock
    try:
        before, after = old.read_text(encoding="utf-8"), new.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UnexplainedError(f"{old.name}, {new.name}: expected two texts in UTF-8") from exc
    revision = Revision(
        wiki_id="enwiki",
        language="en",
        rev_id=2,
        timestamp=saved,
        text=after,
        parent=ParentRevision(rev_id=1, timestamp=saved, text=before),
        page=Page(page_id=1, title="", namespace_id=0),
        user=User(kind=user),
        comment=comment,
    )
    explanation = classifier.explain(revision)
    prediction = explanation.prediction
    return {
        "model_name": prediction.model_name,
        "model_version": prediction.model_version,
        "output": {"prediction": prediction.prediction, "probabilities": prediction.probabilities},
        "explanation": explanation.to_json(),
    }


def show(answer: Mapping[str, Any]) -> str:
    """Write an answer for a person."""
    parts = answer["explanation"]
    lines = [
        f"{answer['model_name']} {answer['model_version']}",
        f"probability {answer['output']['probabilities']['true']:.6f}, logit {parts['logit']:+.4f}",
        "",
        f"{parts['base']:+9.4f}  the average edit",
    ]
    for each in parts["contributions"]:
        value = "" if each["value"] is None else f" = {each['value']:.4g}"
        lines.append(f"{each['amount']:+9.4f}  {each['name']}{value}")
    for span in parts["spans"]:
        lines += ["", f"{span['weight']:+9.4f}  - {span['removed']!r}", f"           + {span['inserted']!r}"]
    return "\n".join(lines)
