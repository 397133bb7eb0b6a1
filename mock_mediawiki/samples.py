"""The history of the sample pages: invented pages in many languages, written for this project."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import PurePath
from typing import Final, Self

from mock_mediawiki.sample_format import (
    SampleError,
    SampleFile,
    SamplePage,
    SampleRevision,
    SampleUser,
    read_sample_file,
)
from revertrisk.wiki.history import (
    ChangeKind,
    EarlierText,
    Part,
    RevisionRange,
    StoredPage,
    StoredRevision,
    StoredUser,
    content_format,
    is_redirect,
    sha1_base36,
)
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind, user_kind

_AUTOCONFIRM_EDITS: Final = 10  # as on most Wikimedia wikis
_AUTOCONFIRM_AGE: Final = timedelta(days=4)
_IMPLICIT_GROUPS: Final = frozenset({"*", "user", "temp", "autoconfirmed"})


class SampleHistory:
    """A :class:`~revertrisk.wiki.history.History` in memory, of the wikis that sample files describe."""

    default_wiki_id: Final = "enwiki"

    def __init__(self) -> None:
        self._revisions: dict[tuple[str, int], StoredRevision] = {}
        self._texts: dict[tuple[str, int], str] = {}
        self._pages: dict[tuple[str, int], StoredPage] = {}
        self._titles: dict[tuple[str, str], StoredPage] = {}
        self._users: dict[tuple[str, str], StoredUser] = {}
        self._by_page: defaultdict[tuple[str, int], list[StoredRevision]] = defaultdict(list)
        self._changes: list[StoredRevision] = []

    @classmethod
    def shipped(cls, wikis: WikiTable) -> Self:
        """Read the sample files that come with this package.

        Raises:
            SampleError: one of them is invalid.

        """
        folder = files("mock_mediawiki").joinpath("samples")
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        return cls.read(
            (
                (entry.name, entry.read_text("utf-8"))
                for entry in entries
                if PurePath(entry.name).suffix == ".yaml"
            ),
            wikis,
        )

    @classmethod
    def read(cls, contents: Iterable[tuple[str, str]], wikis: WikiTable) -> Self:
        """Read sample files, each given as its name and its content.

        Raises:
            SampleError: one is invalid, or its wiki is not in the table.

        """
        history = cls()
        for name, content in contents:
            file = read_sample_file(name, content)
            if wikis.by_id(file.wiki_id) is None:
                raise SampleError(f"{name}: wiki_id: is not in the wiki table")
            try:
                history._add(file)
            except SampleError as exc:
                raise SampleError(f"{name}: {exc}") from exc
        return history

    def revision(self, wiki_id: str, rev_id: int) -> StoredRevision | None:
        """Return a revision, or None if the wiki has no revision with this id."""
        return self._revisions.get((wiki_id, rev_id))

    def text(self, revision: StoredRevision) -> str | None:
        """Return a revision's text, hidden or not."""
        return self._texts.get((revision.wiki_id, revision.rev_id))

    def page(self, wiki_id: str, page_id: int) -> StoredPage | None:
        """Return a page, or None."""
        return self._pages.get((wiki_id, page_id))

    def page_titled(self, wiki_id: str, title: str) -> StoredPage | None:
        """Return the page that has this title now, or None."""
        return self._titles.get((wiki_id, title))

    def pages(self, wiki_id: str) -> Iterator[StoredPage]:
        """Yield every page of a wiki, in the order of the files."""
        return (page for page in self._pages.values() if page.wiki_id == wiki_id)

    def user(self, wiki_id: str, name: str) -> StoredUser | None:
        """Return a user with an account, or None."""
        return self._users.get((wiki_id, name))

    def page_revisions(self, page: StoredPage, within: RevisionRange, limit: int) -> Sequence[StoredRevision]:
        """Return revisions of a page within a range, at most ``limit`` of them, in its direction."""
        revisions = self._by_page[page.wiki_id, page.page_id]
        return within.select(revisions)[:limit]

    def wiki_revisions(self, wiki_id: str, within: RevisionRange, limit: int) -> Sequence[StoredRevision]:
        """Return revisions of a wiki within a range, at most ``limit`` of them, in its direction."""
        revisions = (revision for revision in self._revisions.values() if revision.wiki_id == wiki_id)
        return within.select(revisions)[:limit]

    def preceding(self, revision: StoredRevision, count: int) -> Sequence[EarlierText]:
        """Return up to ``count`` revisions of the same page that precede ``revision`` in its file, newest first."""
        page = self._by_page[revision.wiki_id, revision.page_id]
        earlier = [other for other in reversed(page) if other.position < revision.position][:count]
        return [
            EarlierText(other.rev_id, other.timestamp, None if Part.TEXT in other.hidden else other.sha1)
            for other in earlier
        ]

    def changes(self) -> Iterator[StoredRevision]:
        """Yield every revision except background ones, by time and then in the order of the files."""
        yield from sorted(self._changes, key=lambda revision: (revision.timestamp, revision.position))

    def _add(self, file: SampleFile) -> None:
        now = max(revision.timestamp for page in file.pages for revision in page.revisions)
        for name, account in file.users.items():
            self._users[file.wiki_id, name] = _user(name, account, now)
        for page in file.pages:
            self._add_page(file, page)

    def _add_page(self, file: SampleFile, sample: SamplePage) -> None:
        page = StoredPage(
            wiki_id=file.wiki_id,
            page_id=sample.page_id,
            namespace_id=sample.namespace_id,
            title=sample.title,
            latest_rev_id=sample.revisions[-1].rev_id,
        )
        if (page.wiki_id, page.page_id) in self._pages or (page.wiki_id, page.title) in self._titles:
            raise SampleError(f"page {page.page_id}: its id or title occurs twice")
        self._pages[page.wiki_id, page.page_id] = self._titles[page.wiki_id, page.title] = page
        parent_id = 0
        for number, revision in enumerate(sample.revisions):
            try:
                self._add_revision(file, sample, number, parent_id)
            except SampleError as exc:
                raise SampleError(f"page {page.page_id}, revision {revision.rev_id}, {exc}") from exc
            parent_id = revision.rev_id

    def _add_revision(self, file: SampleFile, page: SamplePage, number: int, previous_rev_id: int) -> None:
        sample = page.revisions[number]
        key = (file.wiki_id, sample.rev_id)
        if key in self._revisions:
            raise SampleError("rev_id: occurs twice")
        parent_id = previous_rev_id if sample.parent is None else sample.parent
        text = _text(sample, self._texts.get((file.wiki_id, parent_id)))
        # The next move after a revision has the title that the page had until then.
        moves = (later.moved_from for later in page.revisions[number + 1 :] if later.kind is ChangeKind.MOVE)
        revision = StoredRevision(
            wiki_id=file.wiki_id,
            page_id=page.page_id,
            page_title=next(moves, None) or page.title,
            namespace_id=page.namespace_id,
            rev_id=sample.rev_id,
            parent_id=parent_id,
            position=len(self._revisions),
            timestamp=_timestamp(sample.timestamp),
            user=_author(file, sample),
            comment=sample.comment,
            is_minor=sample.minor,
            size=len(text.encode()),
            sha1=sha1_base36(text),
            content_model=page.content_model,
            content_format=content_format(page.content_model),
            is_redirect=is_redirect(text) if sample.redirect is None else sample.redirect,
            hidden=frozenset(part for part in Part if part.value in sample.hidden),
            is_suppressed="suppressed" in sample.hidden,
            tags=tuple(sample.tags),
            kind=sample.kind or (ChangeKind.EDIT if number else ChangeKind.CREATE),
            moved_from=sample.moved_from,
            revert_method=sample.revert_method,
            label=sample.label,
        )
        self._revisions[key] = revision
        self._texts[key] = text
        self._by_page[file.wiki_id, page.page_id].append(revision)
        if not sample.background:
            self._changes.append(revision)


def _text(sample: SampleRevision, parent_text: str | None) -> str:
    if sample.text is not None:
        return sample.text
    if parent_text is None:
        raise SampleError("edit: there is no parent text to change")
    text = parent_text
    for number, replacement in enumerate(sample.edit or [], start=1):
        if (count := text.count(replacement.find)) != 1:
            raise SampleError(f"edit, replacement {number}, find: occurs {count} times, must occur once")
        text = text.replace(replacement.find, replacement.put)
    return text


def _author(file: SampleFile, sample: SampleRevision) -> StoredUser | None:
    if sample.user is None:
        return None
    account = file.users.get(sample.user)
    if account is None:
        return StoredUser(name=sample.user, kind=user_kind(sample.user, 0), groups=("*",))
    return _user(sample.user, account, sample.timestamp, sample.edit_count)


def _user(name: str, account: SampleUser, moment: datetime, edit_count: int | None = None) -> StoredUser:
    """Return a user as of ``moment``, with the groups that MediaWiki adds automatically."""
    count = account.edit_count if edit_count is None else edit_count
    is_old = account.registered is not None and moment - account.registered >= _AUTOCONFIRM_AGE
    implicit = ["*", "temp"] if account.kind is UserKind.TEMPORARY else ["*", "user"]
    if account.kind is UserKind.REGISTERED and is_old and count is not None and count >= _AUTOCONFIRM_EDITS:
        implicit.append("autoconfirmed")
    return StoredUser(
        name=name,
        kind=account.kind,
        user_id=account.user_id,
        edit_count=count,
        registered=None if account.registered is None else _timestamp(account.registered),
        groups=(*(group for group in account.groups if group not in _IMPLICIT_GROUPS), *implicit),
    )


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
