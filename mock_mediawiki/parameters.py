"""The parameters of an Action API request, read as MediaWiki reads them.

https://www.mediawiki.org/wiki/API:Data_formats: several values are joined by ``|``, or by U+001F if the first
character is U+001F. An invalid value raises :class:`ApiError`; an unknown parameter or value gives a warning.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final

from aiohttp import web

from mock_mediawiki.timestamps import read_timestamp
from revertrisk.runtime.web_server import json_answer

API_PATH: Final = "/w/api.php"
_DOCREF: Final = "See https://{domain}" + API_PATH + " for API usage."
MAX_LIMIT: Final = 500
_DEFAULT_LIMIT: Final = 10
MAX_VALUES: Final = 50
_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_LARGEST: Final = 2**63 - 1
_HIGH_MAX_VALUES: Final = (
    500  # the limit for clients with the apihighlimits right, which the mock does not have
)
_IGNORED: Final = frozenset(
    {"ascii", "assert", "curtimestamp", "errorformat", "errorlang", "errorsuselocal", "maxage", "maxlag", "origin",
     "requestid", "responselanginfo", "servedby", "smaxage", "uselang", "utf8"}
)  # fmt: skip


class ApiError(Exception):
    """A request that the Action API refuses. ``more`` are further members of the error object."""

    def __init__(self, code: str, info: str, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.info = info
        self.more = more


def error_answer(error: ApiError, domain: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an error answer of a wiki's API; as in MediaWiki its status is 200, and a header has the code."""
    shown = {"code": error.code, "info": error.info, **error.more, "docref": _DOCREF.format(domain=domain)}
    return json_answer(
        {"error": shown, "servedby": "mock-mediawiki"},
        headers={"MediaWiki-API-Error": error.code, **(headers or {})},
    )


class Parameters:
    """One request's parameters. A parameter that is read is recognised; :meth:`warn_of_others` names the others."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._recognised = set(_IGNORED)
        self._warnings: defaultdict[str, list[str]] = defaultdict(list)

    @property
    def warnings(self) -> dict[str, dict[str, str]]:
        """The warnings so far, by module, in the form of an answer."""
        return {module: {"warnings": "\n".join(lines)} for module, lines in self._warnings.items()}

    def warn(self, module: str, text: str) -> None:
        """Add a warning about one module's parameters."""
        self._warnings[module].append(text)

    def warn_of_others(self) -> None:
        """Add a warning that names every parameter that was not read."""
        if others := sorted(self._values.keys() - self._recognised):
            noun = "parameter" if len(others) == 1 else "parameters"
            self.warn("main", f"Unrecognized {noun}: {', '.join(others)}.")

    def given(self, *names: str) -> list[str]:
        """Return those of the names that the request has."""
        return [name for name in names if name in self._values]

    def text(self, name: str) -> str | None:
        """Return a parameter's text, or None."""
        self._recognised.add(name)
        return self._values.get(name)

    def choice(self, name: str, choices: Collection[str], default: str | None = None) -> str:
        """Return a parameter that must be one of the choices; without a default it is required.

        Raises:
            ApiError: ``missingparam`` or ``badvalue``.

        """
        value = self.text(name)
        if value is None:
            value = default
        if value is None:
            raise ApiError("missingparam", f'The "{name}" parameter must be set.')
        if value not in choices:
            raise ApiError("badvalue", f'Unrecognized value for parameter "{name}": {value}.')
        return value

    def values(self, name: str, default: str = "") -> list[str]:
        """Return the values of a parameter that takes several, without duplicates, in their order.

        Raises:
            ApiError: ``toomanyvalues`` over 50.

        """
        joined = self.text(name)
        if joined is None:
            joined = default
        separator = "\x1f" if joined.startswith("\x1f") else "|"
        values = list(dict.fromkeys(joined.removeprefix("\x1f").split(separator))) if joined else []
        if len(values) > MAX_VALUES:
            raise ApiError(
                "toomanyvalues",
                f'Too many values supplied for parameter "{name}". The limit is {MAX_VALUES}.',
                parameter=name,
                limit=MAX_VALUES,
                lowlimit=MAX_VALUES,
                highlimit=_HIGH_MAX_VALUES,
            )
        return values

    def known_values(self, module: str, name: str, choices: Collection[str], default: str = "") -> set[str]:
        """Return the values of a parameter that are among the choices; warn of the others."""
        values = self.values(name, default)
        if unknown := [value for value in values if value not in choices]:
            noun = "value" if len(unknown) == 1 else "values"
            self.warn(module, f'Unrecognized {noun} for parameter "{name}": {", ".join(unknown)}')
        return {value for value in values if value in choices}

    def integers(self, name: str) -> list[int]:
        """Return the values of a parameter that takes several whole numbers.

        Raises:
            ApiError: ``toomanyvalues`` or ``badinteger``.

        """
        return [_integer(name, value) for value in self.values(name)]

    def integer(self, name: str) -> int | None:
        """Return a whole number, or None.

        Raises:
            ApiError: ``badinteger``.

        """
        value = self.text(name)
        return None if value is None else _integer(name, value)

    def limit(self, module: str, name: str, largest: int = MAX_LIMIT) -> int:
        """Return the most items of a list: 10 by default, ``largest`` for ``max``; out of range gives a warning.

        Raises:
            ApiError: ``badinteger``.

        """
        if self.text(name) == "max":
            return largest
        limit = self.integer(name)
        if limit is None:
            return _DEFAULT_LIMIT
        if not 1 <= limit <= largest:
            self.warn(module, f'The value "{limit}" for parameter "{name}" must be between 1 and {largest}.')
        return min(max(limit, 1), largest)

    def timestamp(self, name: str) -> str | None:
        """Return a timestamp in the form of histories (``2026-08-01T10:00:00Z``), or None.

        Raises:
            ApiError: ``badtimestamp``.

        """
        value = self.text(name)
        if value is None:
            return None
        try:
            return read_timestamp(value)
        except ValueError:
            raise ApiError(
                "badtimestamp", f'Invalid value "{value}" for timestamp parameter "{name}".'
            ) from None

    def namespaces(self, module: str, name: str) -> set[int] | None:
        """Return the numbers of namespaces, or None for all of them; other values give a warning."""
        values = self.values(name)
        if not values or "*" in values:
            return None
        numbers = {value for value in values if _WHOLE_NUMBER.fullmatch(value)}
        if unknown := [value for value in values if value not in numbers]:
            self.warn(module, f'Unrecognized values for parameter "{name}": {", ".join(unknown)}')
        return {int(number) for number in numbers}


def whole_number(text: str) -> int:
    """Return the whole number in a decimal text.

    Raises:
        ValueError: it is not a whole number, or does not fit into 64 bits.

    """
    if not _WHOLE_NUMBER.fullmatch(text) or abs(number := int(text)) > _LARGEST:
        raise ValueError("not a whole number of 64 bits")
    return number


def _integer(name: str, value: str) -> int:
    try:
        return whole_number(value)
    except ValueError:
        raise ApiError("badinteger", f'Invalid value "{value}" for integer parameter "{name}".') from None
