"""Decides whether a fetched revision can be scored, from the caller's request and the MediaWiki API's answer.

What the API hides counts as hidden, whatever the event says: a hidden text is skipped; a hidden user or comment is
neither read by the model nor emitted.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from model_server.errors import EventMismatchError, MediaWikiUnavailableError
from model_server.mediawiki import FetchedRevision
from model_server.scoring_request import EventRequest
from revertrisk.event_platform.page_change import (
    MAIN_NAMESPACE,
    WIKITEXT,
    Editor,
    RevisionRef,
    Skip,
    SkipReason,
)
from revertrisk.event_platform.prediction_change import Redactions
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.wiki.revision_facts import RevisionFacts
from revertrisk.wiki.user_kinds import user_kind

REPLICA_LAG = timedelta(seconds=60)
"""If the API lacks a revision within this time after its event, the replica may be behind."""

NOTHING_HIDDEN = Redactions()


@dataclass(frozen=True, slots=True)
class ScorableRevision:
    """A revision that can be scored, and the parts of it that must not be emitted."""

    revision: Revision
    redactions: Redactions = NOTHING_HIDDEN


def assess(
    ref: RevisionRef,
    fetched: FetchedRevision,
    editor: Editor | None,
    *,
    page_is_known: bool,
    max_bytes: int,
) -> ScorableRevision | Skip:
    """Decide whether a fetched revision can be scored.

    With ``page_is_known`` the event has described the page at the time of the edit; otherwise the page's present state
    decides.
    """
    revision, parent = fetched.revision, fetched.parent
    reason = None if page_is_known else _unscorable_page(revision)
    reason = reason or _unscorable(ref, revision, parent, max_bytes)
    if reason is not None:
        return Skip(reason)
    assert revision is not None and parent is not None  # noqa: S101, PT018 - _unscorable checked both
    scored = Revision(
        wiki_id=ref.wiki.wiki_id,
        language=ref.wiki.language,
        rev_id=revision.rev_id,
        timestamp=revision.saved_at,
        text=revision.text or "",
        parent=ParentRevision(
            rev_id=parent.rev_id,
            timestamp=parent.saved_at,
            text=parent.text or "",
            user_kind=parent.user_kind,
        ),
        page=Page(page_id=revision.page_id, title=revision.title, namespace_id=revision.namespace_id),
        user=_user(revision, editor),
        comment=revision.comment,
        is_minor=revision.is_minor,
        tags=revision.tags,
    )
    return ScorableRevision(scored, redactions(revision, parent))


def unscorable_texts(text: str, parent_text: str, max_bytes: int) -> SkipReason | None:
    """Return why two texts of an unsaved edit cannot be compared, or None."""
    if text == parent_text:
        return SkipReason.NULL_EDIT
    if (
        max(len(text.encode("utf-8", "surrogatepass")), len(parent_text.encode("utf-8", "surrogatepass")))
        > max_bytes
    ):
        return SkipReason.TOO_LARGE
    return None


def redactions(revision: RevisionFacts, parent: RevisionFacts) -> Redactions:
    """Return the parts of a revision and its parent that the API hides."""
    if not (revision.hides_anything or parent.hides_anything):
        return NOTHING_HIDDEN
    return Redactions(
        user=revision.hidden_user,
        comment=revision.hidden_comment,
        parent_user=parent.hidden_user,
        parent_comment=parent.hidden_comment,
    )


def is_complete(fetched: FetchedRevision) -> bool:
    """Return whether the API has the revision and its parent, each with its text or hidden."""
    revision = fetched.revision
    return _is_there(revision) and (revision.parent_id == 0 or _is_there(fetched.parent))


def may_still_appear(received_at: datetime | None, *, now: datetime) -> bool:
    """Return whether a revision that the API lacks may still reach the replica, because its event is new.

    Without a time in the event, the answer is yes.
    """
    return received_at is None or now - received_at < REPLICA_LAG


def _is_there(revision: RevisionFacts | None) -> TypeGuard[RevisionFacts]:
    """Return whether a revision was found, with its text or with a hidden text."""
    return revision is not None and (revision.hidden_text or revision.text is not None)


def lagging(received_at: datetime | None) -> MediaWikiUnavailableError:
    """Return the error for a missing revision that is too new, or of unknown age, to be reported as missing."""
    message = "the wiki does not have this revision yet"
    if received_at is None:
        message = "the wiki does not have this revision; the event has no meta.dt, so the revision may be new"
    return MediaWikiUnavailableError(message, reason="lagging", retry_after_s=5.0)


def differing_fields(request: EventRequest, fetched: FetchedRevision) -> tuple[str, ...]:
    """Return the JSON pointers of fields that differ between event and API and cannot have changed since.

    The title is not compared, since a move changes it. An undeletion or a merge of histories can give a revision
    another page and another parent, and an import can leave it without a parent: these are no mismatch here, and
    `assess` skips such an event.
    """
    revision, ref = fetched.revision, request.ref
    if revision is None or revision.page_id != ref.page_id or revision.parent_id == 0:
        return ()
    if ref.parent_id is not None and ref.parent_id != revision.parent_id:
        return ("/revision/rev_parent_id",)
    return ()


def mismatch_error(pointers: tuple[str, ...]) -> EventMismatchError:
    """Return the error for an event that the API contradicts."""
    return EventMismatchError(f"the event and the MediaWiki API disagree on {', '.join(pointers)}")


def _unscorable_page(revision: RevisionFacts | None) -> SkipReason | None:
    if revision is None:
        return None
    if revision.namespace_id != MAIN_NAMESPACE:
        return SkipReason.NAMESPACE
    return SkipReason.REDIRECT if revision.is_redirect else None


def _unscorable(  # noqa: PLR0911 - one line for each reason; the first that applies counts
    ref: RevisionRef, revision: RevisionFacts | None, parent: RevisionFacts | None, max_bytes: int
) -> SkipReason | None:
    if revision is not None and revision.hidden_text:
        return SkipReason.REVISION_HIDDEN
    if revision is None or revision.text is None:  # a revision without a text has a lost text
        return SkipReason.REVISION_MISSING
    if ref.page_id is not None and revision.page_id != ref.page_id:
        return SkipReason.PAGE_CHANGED
    if revision.parent_id == 0:
        return SkipReason.NO_PARENT
    if parent is not None and parent.hidden_text:
        return SkipReason.PARENT_HIDDEN
    if parent is None or parent.text is None or parent.page_id != revision.page_id:
        return SkipReason.PARENT_MISSING
    if revision.text == parent.text:
        return SkipReason.NULL_EDIT
    if revision.content_model != WIKITEXT or parent.content_model != WIKITEXT:
        return SkipReason.CONTENT_MODEL
    if max(revision.size, parent.size) > max_bytes:
        return SkipReason.TOO_LARGE
    return None


def _user(revision: RevisionFacts, editor: Editor | None) -> User:
    """Return the author from the event; without an event, only the kind of user; unknown if the author is hidden.

    The wiki is not asked about the account: its present edit count is not the one at the time of the edit.
    """
    if revision.hidden_user:
        return User()
    if editor is None:
        return User(kind=revision.user_kind)
    return User(
        kind=user_kind(editor.user_text, editor.user_id, is_temp=editor.is_temp),
        edit_count=editor.edit_count,
        registered_at=editor.registration_dt,
        groups=None if editor.groups is None else frozenset(editor.groups),
        is_bot=editor.is_bot,
    )


def utc_now() -> datetime:
    """Return the time of the wall clock, which is used only for ages; no feature reads it."""
    return datetime.now(UTC)
