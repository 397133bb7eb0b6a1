"""The settings of one backfill."""

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from revertrisk.dispatcher.settings import SettingsError
from revertrisk.runtime.addresses import is_base_address
from revertrisk.runtime.headers import USER_AGENT_POLICY, is_contact, user_agent
from revertrisk.wiki.revision_facts import LARGEST_ID, PUBLIC_CONNECTIONS
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind

__all__ = ["BackfillSettings", "SettingsError"]

STDIN = "-"
MAX_DAYS = 36_500
"""The greatest age of a page that can be given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillSettings:
    """One run. Each field is the flag with its name; error messages name the flags."""

    wikis: tuple[str, ...]
    since: datetime | None = None
    """``--from``."""
    until: datetime | None = None
    """``--to``."""
    revisions: str | None = None
    titles: str | None = None
    category: str | None = None
    all_revisions: bool = False
    namespaces: tuple[int, ...] = (0,)
    user_kinds: tuple[UserKind, ...] = ()
    page_age_from_days: float | None = None
    page_age_to_days: float | None = None
    target: str | None = None
    local: Path | None = None
    rule_file: Path | None = None
    wiki_url: str | None = None
    wikis_file: Path | None = None
    contact: str | None = None
    rate: float = 5.0
    """Requests to MediaWiki a second, including those of the scoring server."""
    concurrency: int = PUBLIC_CONNECTIONS
    checkpoint: Path = Path("backfill.sqlite")
    dead_letters: Path = Path("backfill-dead-letters.jsonl")
    dry_run: bool = False
    yes: bool = False

    def __post_init__(self) -> None:
        if not self.wikis:
            raise SettingsError("wiki: name the wiki, such as enwiki")
        for name in ("since", "until"):
            moment: datetime | None = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                flag = {"since": "from", "until": "to"}[name]
                raise SettingsError(f"{flag}: expected a time with its zone, such as 2026-11-21T08:00:00Z")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise SettingsError("from: expected a time before that of --to")
        self._check_selection()
        if (self.target is None) == (self.local is None):
            raise SettingsError(
                "target: expected either --target, a server to send to, or --local, a file to write"
            )
        if not 0 < self.rate < float("inf"):
            raise SettingsError("rate: expected a number of requests a second over 0")
        if self.concurrency < 1:
            raise SettingsError("concurrency: expected a number of at least 1")
        for flag, days in (
            ("page-age-from", self.page_age_from_days),
            ("page-age-to", self.page_age_to_days),
        ):
            if days is not None and not 0 <= days <= MAX_DAYS:
                raise SettingsError(f"{flag}: expected a number of days from 0 to {MAX_DAYS:,}")
        self._check_politeness()

    def _check_selection(self) -> None:
        given = [name for name in ("revisions", "titles", "category") if getattr(self, name) is not None]
        if len(given) > 1:
            raise SettingsError(f"{given[1]}: cannot be used together with --{given[0]}")
        if not given and (self.since is None or self.until is None):
            raise SettingsError("from: give --from and --to, or one of --revisions, --titles and --category")
        if given and given[0] != "category" and len(self.wikis) > 1:
            raise SettingsError(f"wiki: --{given[0]} is a list of one wiki")
        if self.revisions is not None and self.all_revisions:
            raise SettingsError("all-revisions: --revisions names each revision by itself")

    def _check_politeness(self) -> None:
        if self.wiki_url is not None and not (
            is_base_address(self.wiki_url) and urlsplit(self.wiki_url).path in {"", "/"}
        ):
            raise SettingsError("wiki-url: expected http://host:port: the path /w/api.php is added to it")
        if self.contact is not None and not is_contact(self.contact):
            raise SettingsError(
                "contact: expected an e-mail address or a URL, in ASCII and without spaces, quotes and brackets"
            )

    def check_folders(self) -> None:
        """Refuse files whose folder does not exist; raises SettingsError.

        The files are opened only after the plan, which can take hours.
        """
        for flag, path in (("local", self.local), ("dead-letters", self.dead_letters)):
            if path is not None and not path.parent.is_dir():
                raise SettingsError(f"{flag}: {path} cannot be written: {path.parent} is not a folder")

    def check_hosts(self, wikis: WikiTable) -> None:
        """Refuse settings that a public host does not allow; raises SettingsError."""
        host = None if self.wiki_url is None else urlsplit(self.wiki_url).hostname
        if host is not None and wikis.by_domain(host) is None:
            return
        if self.contact is None:
            raise SettingsError(
                "contact: a public host requires a contact: give an e-mail address or a URL "
                f"({USER_AGENT_POLICY}), or --wiki-url for your own MediaWiki"
            )
        if self.concurrency > PUBLIC_CONNECTIONS:
            raise SettingsError(
                f"concurrency: a public host allows {PUBLIC_CONNECTIONS} requests at a time, not {self.concurrency}"
            )

    @property
    def user_agent(self) -> str:
        """The User-Agent of requests to wikis."""
        return user_agent("revertrisk-backfill", self.contact)

    @property
    def page_age_from(self) -> timedelta | None:
        """The minimum age of a page."""
        return None if self.page_age_from_days is None else timedelta(days=self.page_age_from_days)

    @property
    def page_age_to(self) -> timedelta | None:
        """The maximum age of a page."""
        return None if self.page_age_to_days is None else timedelta(days=self.page_age_to_days)

    def selection(
        self, wiki_ids: Iterable[str], scorer: str, rule: str, listed: "ListedItems"
    ) -> dict[str, str]:
        """Return the values that identify this backfill, by flag; the same command gives the same values."""
        everything = {
            "wiki": " ".join(wiki_ids),
            "from": _written(self.since),
            "to": _written(self.until),
            "revisions": listed.digest if self.revisions is not None else "",
            "titles": listed.digest if self.titles is not None else "",
            "category": self.category or "",
            "all-revisions": "yes" if self.all_revisions else "",
            "namespace": " ".join(map(str, sorted(self.namespaces))),
            "user-kind": " ".join(sorted(self.user_kinds)),
            "page-age-from": "" if self.page_age_from_days is None else f"{self.page_age_from_days:g} days",
            "page-age-to": "" if self.page_age_to_days is None else f"{self.page_age_to_days:g} days",
            "local": "" if self.local is None else f"{self.local.resolve()}, {scorer}",
            "target": "" if self.target is None else scorer,
            "rule": rule,
            "wiki-url": "" if self.wiki_url is None else self.wiki_url,
        }
        return {name: value for name, value in everything.items() if value}


@dataclass(frozen=True, slots=True)
class ListedItems:
    """The lines of a list of titles or revision ids."""

    items: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A name that identifies the content of the list."""
        digest = hashlib.sha256("\n".join(self.items).encode(errors="surrogateescape")).hexdigest()
        return f"a list of {len(self.items)} lines ({digest[:12]})"

    def rev_ids(self) -> list[int]:
        """Return the lines as revision ids; raises SettingsError."""
        found = []
        for number, item in enumerate(self.items, 1):
            if not (item.isascii() and item.isdigit() and len(item) < 17 and 1 <= int(item) <= LARGEST_ID):  # noqa: PLR2004
                raise SettingsError(f"revisions: entry {number} is not the id of a revision")
            found.append(int(item))
        return found


def read_list(flag: str, name: str) -> ListedItems:
    """Read the lines of a file, or of standard input for ``-``; blank lines are ignored.

    Raises:
        SettingsError: it cannot be read, or is empty.

    """
    try:
        raw = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        lines = raw.decode("utf-8-sig").split("\n")
    except OSError as exc:
        raise SettingsError(f"{flag}: {name} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise SettingsError(f"{flag}: {name} is not text in UTF-8") from exc
    items = tuple(line.strip() for line in lines if line.strip())
    if not items:
        raise SettingsError(f"{flag}: {name} has no entries")
    return ListedItems(items)


def _written(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
