"""Official models of Wikimedia's production, through the `knowledge_integrity` package if it is installed.

The package is not on PyPI. So this adapter is tested against a stand-in with the interface that Lift Wing's servers
use: ``knowledge_integrity.models.<module>.load_model(path)`` and ``.classify(model, revisions)``, whose results
have ``prediction`` and ``probability``; ``model.model_version`` and ``model.supported_wikis``; and
``knowledge_integrity.schema.Revision.from_json(text)``. It is not tested against the real package.
"""

import hashlib
import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from revertrisk.scoring.prediction import Classifier, Prediction, name_problem
from revertrisk.scoring.revision import Page, Revision
from revertrisk.wiki.user_kinds import UserKind

PACKAGE = "knowledge_integrity"
PICKLE = "model.pkl"
MODULES: Mapping[str, str] = {
    "revertrisk-language-agnostic": f"{PACKAGE}.models.revertrisk",
    "revertrisk-multilingual": f"{PACKAGE}.models.revertrisk_multilingual",
}
"""The module of the package that serves a model, by the model's name."""

_REGISTERED_ID = 1
_ANONYMOUS_ID = 0
"""The user id of an author who is not logged in."""


class OfficialModelError(Exception):
    """An official artefact cannot be served; the message says why."""


class OfficialClassifier:
    """An official artefact: a `Classifier`. It needs ``page.first_edited_at`` of every revision."""

    def __init__(
        self,
        name: str,
        model: Any,
        classify: Callable[[Any, list[Any]], Sequence[Any]],
        read: Callable[[str], Any],
        language_of: Callable[[str], str | None],
    ) -> None:
        """``language_of`` returns the language code of a wiki id; the package names wikis by language."""
        self.name = name
        self.version = str(model.model_version)
        self._model = model
        self._classify = classify
        self._read = read
        self._language_of = language_of

    @classmethod
    def load(cls, name: str, file: Path, language_of: Callable[[str], str | None]) -> Self:
        """Unpickle an artefact. That runs the code in the pickle, so the caller must check its SHA-256 before.

        Raises:
            OfficialModelError: the name is not one of `MODULES`, or the package or the pickle cannot be used.

        """
        if name not in MODULES:
            raise OfficialModelError(f"expected one of {', '.join(MODULES)}, the official models")
        try:
            module = importlib.import_module(MODULES[name])
            read = importlib.import_module(f"{PACKAGE}.schema").Revision.from_json
            loaded = cls(name, module.load_model(file), module.classify, read, language_of)
        except ImportError as exc:
            raise OfficialModelError(f"the package {PACKAGE} cannot be imported") from exc
        except AttributeError as exc:
            raise OfficialModelError(f"the package {PACKAGE} does not have the expected interface") from exc
        except Exception as exc:
            raise OfficialModelError(
                f"the package {PACKAGE} could not load it ({type(exc).__name__})"
            ) from exc
        if (problem := name_problem(loaded.version)) is not None:
            raise OfficialModelError(f"model_version: {problem}")
        return loaded

    def supports(self, wiki_id: str) -> bool:
        """Return whether the model supports a wiki; a model without a list of wikis supports all."""
        supported = getattr(self._model, "supported_wikis", None)
        return supported is None or wiki_id in supported or self._language_of(wiki_id) in supported

    def score(self, revisions: Sequence[Revision]) -> list[Prediction]:
        """Score edits, in their order; raises NoProbabilityError for a score that is not a probability."""
        given = [self._read(json.dumps(_package_fields(revision))) for revision in revisions]
        results = self._classify(self._model, given)
        return [
            Prediction.of(
                float(result.probability),
                model_name=self.name,
                model_version=self.version,
                decision=bool(result.prediction),
            )
            for _, result in zip(revisions, results, strict=True)
        ]


def needs_page_history(classifier: Classifier) -> bool:
    """Return whether a classifier needs the time of each page's first edit."""
    return isinstance(classifier, OfficialClassifier)


def pickle_at(path: Path) -> Path | None:
    """Return the pickle at a path: the file itself, or `PICKLE` in a folder that has no artefact of ours; else None."""
    if path.suffix == ".pkl" and path.is_file():
        return path
    file = path / PICKLE
    return file if file.is_file() and not (path / "metadata.json").is_file() else None


def is_installed() -> bool:
    """Return whether the package is installed, without importing it."""
    return importlib.util.find_spec(PACKAGE) is not None


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _package_fields(revision: Revision) -> dict[str, Any]:
    """Return an edit in the format of the package: the fields that Lift Wing requires, and comment and tags."""
    parent = revision.parent
    fields: dict[str, Any] = {
        "id": revision.rev_id,
        "lang": revision.language,
        "text": revision.text,
        "timestamp": _timestamp_text(revision.timestamp),
        "bytes": _utf8_size(revision.text),
        "comment": revision.comment or "",
        "tags": sorted(revision.tags or ()),
        "page": {
            "id": revision.page.page_id,
            "title": revision.page.title,
            "first_edit_timestamp": _timestamp_text(_first_edit(revision.page)),
        },
        "parent": {
            "id": parent.rev_id,
            "lang": revision.language,
            "text": parent.text,
            "timestamp": _timestamp_text(parent.timestamp),
            "bytes": _utf8_size(parent.text),
            "comment": "",
            "tags": [],
        },
        # A `Revision` has no user id. The package only needs to know whether the author is logged in; it has no
        # value for unknown.
        "user": {
            "id": _ANONYMOUS_ID if revision.user.kind in {UserKind.IP, UserKind.TEMPORARY} else _REGISTERED_ID
        },
    }
    return fields


def _first_edit(page: Page) -> datetime:
    if page.first_edited_at is None:
        raise OfficialModelError("the time of the page's first edit is not known")
    return page.first_edited_at


def _timestamp_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _utf8_size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
