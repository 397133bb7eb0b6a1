"""The format of the sample pages' YAML files, and a strict reader of it.

A file holds pages of one wiki with their revisions, oldest first, and the users who made them. ``edit`` lists what a
revision changed in its parent's text; each ``find`` must occur there exactly once. Anything that does not match the
classes here is an error that names the file, the page, the revision and the field.
"""

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from revertrisk.wiki.history import ChangeKind, RevertMethod, SampleLabel
from revertrisk.wiki.user_kinds import UserKind, user_kind

_STRICT: Final = ConfigDict(extra="forbid", strict=True, frozen=True)


class SampleError(ValueError):
    """A sample file is invalid; the message names the file, the page, the revision and the field."""


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("must end in Z")
    return moment.astimezone(UTC)


def _with_account(kind: UserKind) -> UserKind:
    if kind not in {UserKind.REGISTERED, UserKind.TEMPORARY}:
        raise ValueError("must be registered or temporary: only users with an account are listed")
    return kind


_WORD: Final = Field(strict=False)  # accepts the value of an enumeration, which strict mode refuses
Id = Annotated[int, Field(ge=1)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]


class SampleUser(BaseModel):
    """An account. ``edit_count`` is the present one; ``groups`` are the explicit groups."""

    model_config = _STRICT

    kind: Annotated[UserKind, _WORD, AfterValidator(_with_account)]
    user_id: Id
    edit_count: Annotated[int, Field(ge=0)] | None = None
    registered: Moment | None = None
    groups: list[str] = []


class SampleReplacement(BaseModel):
    """One replacement in the parent's text."""

    model_config = _STRICT

    find: Annotated[str, Field(min_length=1)]
    put: str


class SampleRevision(BaseModel):
    """One revision. Without ``user`` its author is unknown; a name that is not in ``users`` is an IP address."""

    model_config = _STRICT

    rev_id: Id
    timestamp: Moment
    user: str | None = None
    edit_count: Annotated[int, Field(ge=0)] | None = None
    """The user's edit count at the time, if it differs from the present one."""
    comment: str = ""
    minor: bool = False
    tags: list[str] = []
    kind: Annotated[ChangeKind, _WORD] | None = None
    """By default ``create`` for the first revision of a page and ``edit`` for the others."""
    background: bool = False
    """True for a revision that is only the history of others: it has no event."""
    text: str | None = None
    edit: list[SampleReplacement] | None = None
    hidden: list[Literal["text", "user", "comment", "suppressed"]] = []
    redirect: bool | None = None
    """By default found in the text."""
    moved_from: str | None = None
    parent: Annotated[int, Field(ge=0)] | None = None
    """By default the revision before it. It need not exist; a missing one stands for a deleted revision."""
    revert_method: Annotated[RevertMethod, _WORD] | None = None
    label: Annotated[SampleLabel, _WORD] | None = None
    """Required for every edit that has an event."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind is ChangeKind.MOVE:
            if self.moved_from is None:
                raise ValueError("moved_from: is missing for a move")
            if self.text is not None or self.edit:
                raise ValueError("text, edit: a move keeps its parent's text")
        elif self.moved_from is not None:
            raise ValueError("moved_from: is for moves only")
        elif (self.text is None) == (self.edit is None):
            raise ValueError("text, edit: give one of them")
        return self


class SamplePage(BaseModel):
    """A page, with its present title, written with spaces."""

    model_config = _STRICT

    page_id: Id
    title: Annotated[str, Field(min_length=1, pattern="^[^_|]+$")]
    namespace_id: int = 0
    content_model: str = "wikitext"
    revisions: Annotated[list[SampleRevision], Field(min_length=1)]

    @model_validator(mode="after")
    def _labels_every_edit(self) -> Self:
        for number, revision in enumerate(self.revisions):
            is_edit = revision.kind is ChangeKind.EDIT or (revision.kind is None and number > 0)
            if is_edit and not revision.background and revision.label is None:
                raise ValueError(f"revision {revision.rev_id}, label: is missing")
        return self


class SampleFile(BaseModel):
    """A whole file."""

    model_config = _STRICT

    wiki_id: str
    users: dict[str, SampleUser] = {}
    pages: list[SamplePage]

    @model_validator(mode="after")
    def _knows_its_users(self) -> Self:
        for page in self.pages:
            for revision in page.revisions:
                if (
                    revision.user is not None
                    and revision.user not in self.users
                    and user_kind(revision.user) is not UserKind.IP
                ):
                    raise ValueError(
                        f"page {page.page_id}, revision {revision.rev_id}, user: is neither in users nor an IP address"
                    )
        return self


def read_sample_file(name: str, content: str) -> SampleFile:
    """Read the content of a sample file.

    Raises:
        SampleError: it is invalid.

    """
    try:
        # The loader builds plain values only, as yaml.safe_load does.
        document = yaml.load(content, _Loader)  # noqa: S506
    except yaml.MarkedYAMLError as exc:
        place = "" if exc.problem_mark is None else f", line {exc.problem_mark.line + 1}"
        raise SampleError(f"{name}{place}: {exc.problem}") from exc
    try:
        return SampleFile.model_validate(document)
    except ValidationError as exc:
        problems = (
            f"{_place(document, error['loc'])}{error['msg'].removeprefix('Value error, ')}"
            for error in exc.errors(include_url=False)
        )
        raise SampleError(f"{name}: {'; '.join(problems)}") from exc


class _Loader(yaml.CSafeLoader):
    """Refuses a mapping with the same key twice; YAML would keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.MarkedYAMLError(problem="a key occurs twice", problem_mark=node.start_mark)
        return mapping


def _place(document: Any, location: Sequence[int | str]) -> str:
    """Return a location in the file as text, with the ids of its page and revision instead of their indexes."""
    words: list[str] = []
    value = document
    for number, step in enumerate(location, start=1):
        value = _at(value, step)
        if isinstance(step, int) and isinstance(value, Mapping) and ("page_id" in value or "rev_id" in value):
            words.append(f"page {value['page_id']}" if "page_id" in value else f"revision {value['rev_id']}")
        elif step not in {"pages", "revisions"} or number == len(location):
            words.append(str(step))
    return f"{', '.join(words)}: " if words else ""


def _at(value: Any, step: int | str) -> Any:
    if isinstance(value, list) and isinstance(step, int):
        return value[step]
    return value.get(step) if isinstance(value, dict) else None
