"""Soft labels: what the teachers of many wikis think, on average, of edits that nobody has to label.

Each model's logits are standardised over the same edits, then averaged within its wiki, then over the wikis, and
standardised again. So a wiki counts once, whatever the share of reverts that its models were made for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from revertrisk.scoring.features import Features, extract
from revertrisk.scoring.revision import Revision, User
from revertrisk.scoring.training.examples import TrainingError, sha256_of
from revertrisk.scoring.training.history import scorable_revisions
from revertrisk.scoring.training.teacher_features import Rights, author_features, text_features
from revertrisk.scoring.training.teachers import Teacher
from revertrisk.wiki.exports.reader import ExportError
from revertrisk.wiki.user_kinds import UserKind

_SEED = 0
_UNKNOWN_RIGHTS = 0.4
"""How often the rights of a registered author stay unknown, to the teachers and to whoever learns from them."""
_GRANTED = (
    (Rights(is_bot=1), frozenset({"bot"})),
    (Rights(is_admin=1, is_trusted=1, is_patroller=1), frozenset({"sysop"})),
    (Rights(is_patroller=1, is_trusted=1), frozenset({"patroller"})),
)
_SHARE_GRANTED = 0.1
"""How often an author is taken to have each of the rights above; the rest have none."""


@dataclass(frozen=True, slots=True)
class SoftExample:
    """An edit and what the teachers think of it."""

    features: Features
    logit: float
    """With mean 0 and deviation 1 over the edits of a file."""


@dataclass(frozen=True, slots=True)
class SoftDataset:
    """The edits of an export with the teachers' opinion."""

    name: str
    file_name: str
    sha256: str
    examples: tuple[SoftExample, ...] = field(repr=False)


def read_soft_labels(
    export: Path, teachers: Sequence[Teacher], *, wiki_id: str, language: str
) -> SoftDataset:
    """Have the teachers score the edits of articles in an export.

    An export does not say which rights an author had. The teachers are functions, so each edit is given to them
    with rights drawn at random, which the student is told as well: what is learnt is what rights mean to them.

    Raises:
        TrainingError: the export cannot be used.

    """
    generator = np.random.default_rng(_SEED)
    features: list[Features] = []
    known: list[dict[str, float]] = []
    try:
        for revision, text in text_features(_articles(export, wiki_id, language)):
            rights, user = _drawn(revision.user, generator)
            features.append(extract(replace(revision, user=user)))
            known.append(text | author_features(user.kind, rights))
    except ExportError as exc:
        raise TrainingError(str(exc)) from exc
    logits = opinion(teachers, known)
    examples = tuple(map(SoftExample, features, logits.tolist()))
    return SoftDataset(export.name.partition(".")[0], export.name, sha256_of(export), examples)


def _articles(export: Path, wiki_id: str, language: str) -> Iterator[Revision]:
    for revision, _, _ in scorable_revisions(export, wiki_id=wiki_id, language=language):
        if revision.page.namespace_id == 0:
            yield revision


def opinion(teachers: Sequence[Teacher], known: Sequence[dict[str, float]]) -> NDArray[np.float64]:
    """Return the mean of the wikis' standardised logits for each edit, standardised."""
    wikis: dict[str, list[NDArray[np.float64]]] = {}
    for teacher in teachers:
        wikis.setdefault(teacher.wiki_id, []).append(_standardised(teacher.logits(known)))
    return _standardised(np.mean([np.mean(models, axis=0) for models in wikis.values()], axis=0))


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    standardised: NDArray[np.float64] = (values - values.mean()) / max(float(values.std()), 1e-9)
    return standardised


def _drawn(user: User, generator: np.random.Generator) -> tuple[Rights | None, User]:
    """Draw the rights of an author: None for unknown, and the groups that say the same."""
    drawn = generator.random()
    if user.kind is not UserKind.REGISTERED or drawn < _UNKNOWN_RIGHTS:
        return None, user
    place = int((drawn - _UNKNOWN_RIGHTS) / _SHARE_GRANTED)
    if place >= len(_GRANTED):
        return Rights(), User(kind=user.kind, groups=frozenset(), is_bot=False)
    rights, groups = _GRANTED[place]
    return rights, User(kind=user.kind, groups=groups, is_bot=bool(rights.is_bot))
