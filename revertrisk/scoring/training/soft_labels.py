"""Soft labels: the mean prediction of the teachers of many wikis, for edits without labels.

The logits of each teacher are standardised over all edits, averaged within its wiki, then over the wikis, and
standardised again. So each wiki counts once, and the share of reverts that a teacher was trained for does not matter.
Learning from soft labels is knowledge distillation (Hinton, Vinyals and Dean, 2015, https://arxiv.org/abs/1503.02531).
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
"""The share of registered authors whose rights stay unknown, to the teachers and to the student."""
_GRANTED = (
    (Rights(is_bot=1), frozenset({"bot"})),
    (Rights(is_admin=1, is_trusted=1, is_patroller=1), frozenset({"sysop"})),
    (Rights(is_patroller=1, is_trusted=1), frozenset({"patroller"})),
)
_SHARE_GRANTED = 0.1
"""The share of registered authors that get each entry of `_GRANTED`; the rest have no rights."""


@dataclass(frozen=True, slots=True)
class SoftExample:
    """An edit with its soft label."""

    features: Features
    logit: float
    """The mean logit of the teachers, standardised to mean 0 and deviation 1 over the edits of a file."""


@dataclass(frozen=True, slots=True)
class SoftDataset:
    """The edits of an export with their soft labels."""

    name: str
    file_name: str
    sha256: str
    examples: tuple[SoftExample, ...] = field(repr=False)


def read_soft_labels(
    export: Path, teachers: Sequence[Teacher], *, wiki_id: str, language: str
) -> SoftDataset:
    """Score the edits of articles in an export with the teachers.

    An export does not have the rights of authors. So each registered author gets rights at random, in the features of
    the teachers and in those of the student. The student then learns how the teachers' predictions depend on rights.

    Raises:
        TrainingError: the export cannot be used.

    """
    generator = np.random.default_rng(_SEED)
    features: list[Features] = []
    known: list[dict[str, float]] = []
    try:
        for revision, text in text_features(_articles(export, wiki_id, language)):
            rights, user = _draw_rights(revision.user, generator)
            features.append(extract(replace(revision, user=user)))
            known.append(text | author_features(user.kind, rights))
    except ExportError as exc:
        raise TrainingError(str(exc)) from exc
    logits = mean_logits(teachers, known)
    examples = tuple(map(SoftExample, features, logits.tolist()))
    return SoftDataset(export.name.partition(".")[0], export.name, sha256_of(export), examples)


def _articles(export: Path, wiki_id: str, language: str) -> Iterator[Revision]:
    for revision, _, _ in scorable_revisions(export, wiki_id=wiki_id, language=language):
        if revision.page.namespace_id == 0:
            yield revision


def mean_logits(teachers: Sequence[Teacher], known: Sequence[dict[str, float]]) -> NDArray[np.float64]:
    """Return the soft label of each edit, shape (edits,), from its features by name; see the top of this module."""
    wikis: dict[str, list[NDArray[np.float64]]] = {}
    for teacher in teachers:
        wikis.setdefault(teacher.wiki_id, []).append(_standardised(teacher.logits(known)))
    return _standardised(np.mean([np.mean(models, axis=0) for models in wikis.values()], axis=0))


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    standardised: NDArray[np.float64] = (values - values.mean()) / max(float(values.std()), 1e-9)
    return standardised


def _draw_rights(user: User, generator: np.random.Generator) -> tuple[Rights | None, User]:
    """Draw the rights of an author, None for unknown; return them with the author in the groups of these rights."""
    drawn = generator.random()
    if user.kind is not UserKind.REGISTERED or drawn < _UNKNOWN_RIGHTS:
        return None, user
    place = int((drawn - _UNKNOWN_RIGHTS) / _SHARE_GRANTED)
    if place >= len(_GRANTED):
        return Rights(), User(kind=user.kind, groups=frozenset(), is_bot=False)
    rights, groups = _GRANTED[place]
    return rights, User(kind=user.kind, groups=groups, is_bot=bool(rights.is_bot))
