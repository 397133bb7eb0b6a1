"""A made-up edit that a model scores before the server listens, so that a model that cannot score stops the start."""

from datetime import UTC, datetime, timedelta
from typing import Final

from revertrisk.scoring.prediction import Classifier
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.wiki.user_kinds import UserKind

_SAVED: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PROBE: Final = Revision(
    wiki_id="enwiki",
    language="en",
    rev_id=2,
    timestamp=_SAVED,
    text="The town of LOWER Village has 7 SCHOOLS? See the plan.",
    parent=ParentRevision(
        rev_id=1,
        timestamp=_SAVED - timedelta(days=9),
        text="The town of Upper Village has 500 inhabitants! See the map.",
        user_kind=UserKind.IP,
    ),
    page=Page(page_id=1, title="Village", namespace_id=0, first_edited_at=_SAVED - timedelta(days=900)),
    user=User(
        kind=UserKind.REGISTERED,
        edit_count=3,
        registered_at=_SAVED - timedelta(days=1),
        groups=frozenset({"autoconfirmed"}),
        is_bot=False,
    ),
    comment="/* Name */ RENAMED, see [[Lower Village]]",
    is_minor=False,
    tags=frozenset({"mobile edit"}),
)
"""All facts are known, so that all features have a value."""


class UnusableModelError(Exception):
    """A model cannot score; the message says why."""


def check(classifier: Classifier) -> None:
    """Have a model score the probe.

    Raises:
        UnusableModelError: it returns no probability, or raises.

    """
    try:
        classifier.score([PROBE])
    except Exception as exc:
        raise UnusableModelError(f"the model cannot score an edit ({type(exc).__name__})") from exc
