"""``generator=categorymembers``: the pages of a category as the pages of a query.

https://www.mediawiki.org/wiki/API:Categorymembers; the parameters of a generator begin with ``g``.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from mock_mediawiki.catalogue import Catalogue, Member
from mock_mediawiki.continuation import bad_continue
from mock_mediawiki.namespaces import CATEGORY, category_prefixes, normalised_title
from mock_mediawiki.parameters import ApiError, Parameters, whole_number
from revertrisk.wiki.history import StoredPage
from revertrisk.wiki.table import Wiki

_FILE: Final = 6
_TYPES: Final = ("page", "subcat", "file")


class Generated(NamedTuple):
    """The pages of one batch, and the parameter that continues with the next one, or None."""

    pages: Sequence[StoredPage]
    rest: tuple[str, str] | None


def generated_pages(catalogue: Catalogue, wiki: Wiki, parameters: Parameters) -> Generated | None:
    """Return the pages that a request's generator finds, or None if it has no generator.

    Raises:
        ApiError: the generator or one of its parameters cannot be used.

    """
    if not parameters.given("generator"):
        return None
    parameters.choice("generator", ("categorymembers",))
    return _category_members(catalogue, wiki, parameters)


def _category_members(catalogue: Catalogue, wiki: Wiki, parameters: Parameters) -> Generated:
    limit = parameters.limit("categorymembers", "gcmlimit")
    category = _category(wiki, parameters)
    types = parameters.known_values("categorymembers", "gcmtype", _TYPES, "|".join(_TYPES))
    namespaces = parameters.namespaces("categorymembers", "gcmnamespace")
    found = _by_type(catalogue.members(wiki, category), types)
    if (value := parameters.text("gcmcontinue")) is not None:
        found = _from(found, value)
    rest = ("gcmcontinue", _mark(found[limit])) if len(found) > limit else None
    # As on a large wiki, namespaces are filtered after the limit: a batch can hold fewer pages, or none.
    pages = [page for _, _, page in found[:limit] if namespaces is None or page.namespace_id in namespaces]
    return Generated(pages, rest)


def _category(wiki: Wiki, parameters: Parameters) -> str:
    """Return the title of the requested category, without its prefix."""
    title = parameters.text("gcmtitle")
    if title is None:
        raise ApiError("missingparam", 'One of the parameters "gcmtitle" and "gcmpageid" is required.')
    prefix, separator, name = title.replace("_", " ").partition(":")
    known = {prefix.casefold() for prefix in category_prefixes(wiki)}
    if not separator or prefix.strip().casefold() not in known or not (category := normalised_title(name)):
        raise ApiError("invalidcategory", "The category name you entered is not valid.")
    return category


def _by_type(members: Iterable[Member], types: Iterable[str]) -> list[Member]:
    ordered = sorted(members)
    return [member for kind in _TYPES if kind in types for member in ordered if _type(member.page) == kind]


def _from(members: list[Member], mark: str) -> list[Member]:
    """Return the members from the one that ``mark`` names.

    Raises:
        ApiError: ``badcontinue`` if there is no such member.

    """
    kind, _, rest = mark.partition("|")
    sort_key, _, page_id = rest.partition("|")
    try:
        wanted: tuple[Any, ...] = _TYPES.index(kind), bytes.fromhex(sort_key), whole_number(page_id)
    except ValueError:
        raise bad_continue() from None
    for number, member in enumerate(members):
        if (_TYPES.index(_type(member.page)), member.sort_key, member.page_id) == wanted:
            return members[number:]
    raise bad_continue()


def _mark(member: Member) -> str:
    return f"{_type(member.page)}|{member.sort_key.hex()}|{member.page_id}"


def _type(page: StoredPage) -> str:
    return {CATEGORY: "subcat", _FILE: "file"}.get(page.namespace_id, "page")
