"""Where a query that did not fit into one answer goes on: the ``continue`` object of the Action API.

https://www.mediawiki.org/wiki/API:Continue: a client sends the whole object with its next request. Its member
``continue`` is ``<parameters of the generator>||<modules that have finished>``. While a prop module is unfinished,
the generator stays where it is; when all of them have finished it moves on, and they start again.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mock_mediawiki.parameters import ApiError, Parameters

_GENERATOR_DONE: Final = "-"


def bad_continue() -> ApiError:
    """Return the error for a value that no answer can have had."""
    return ApiError(
        "badcontinue",
        "Invalid continue param. You should pass the original value returned by the previous query.",
    )


class Continuation:
    """One request's place in a longer answer, and the place where the next one begins.

    ``props`` are the modules about the pages asked for, ``others`` those that list something of their own.

    :raises ApiError: ``badcontinue`` if ``continue`` has no ``||``.
    """

    def __init__(self, parameters: Parameters, props: Iterable[str], others: Iterable[str]) -> None:
        self._props = list(props)
        self._modules = [*self._props, *others]
        self._unfinished: dict[str, dict[str, str]] = {}
        self._generator: dict[str, str] = {}
        self._generator_was: dict[str, str] = {}
        self._skipped: set[str] = set()
        if (value := parameters.text("continue")) is not None and value:
            generator, separator, finished = value.partition("||")
            if not separator or "||" in finished:
                raise bad_continue()
            self._skipped = set(finished.split("|"))
            if generator == _GENERATOR_DONE:
                self._skipped.update(self._props)
            else:
                named = [name for name in generator.split("|") if parameters.given(name)]
                self._generator_was = {name: parameters.text(name) or "" for name in named}

    def runs(self, module: str) -> bool:
        """Return whether this request is to run a module: it is asked for, and has not finished before."""
        return module in self._modules and module not in self._skipped

    @property
    def needs_pages(self) -> bool:
        """False if only lists go on, so that the pages need not be looked up again."""
        return not self._props or any(map(self.runs, self._props))

    def go_on(self, module: str, name: str, value: str) -> None:
        """Note the parameter with which a module is to go on."""
        self._unfinished[module] = {name: value}

    def go_on_generating(self, name: str, value: str) -> None:
        """Note the parameter with which the generator is to go on."""
        self._generator = {name: value}

    def as_json(self) -> dict[str, Any]:
        """Return ``continue`` and ``batchcomplete`` as they stand in an answer."""
        finished = [module for module in self._modules if module not in self._unfinished]
        data = _joined(of for module, of in self._unfinished.items() if module not in self._props)
        is_complete = not self._unfinished.keys() & set(self._props)
        generator = _GENERATOR_DONE
        if not is_complete:
            data |= _joined(of for module, of in self._unfinished.items() if module in self._props)
            data |= self._generator_was
            generator = "|".join(self._generator_was)
        elif self._generator:
            data |= self._generator
            generator = "|".join(self._generator)
            finished = [module for module in finished if module not in self._props]
        answer: dict[str, Any] = {"batchcomplete": True} if is_complete else {}
        if data:
            answer["continue"] = data | {"continue": f"{generator}||{'|'.join(finished)}"}
        return answer


def _joined(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {name: value for part in parts for name, value in part.items()}


def value_size(value: Any) -> int:
    """Return what MediaWiki counts of a value: the bytes of what it holds, not of the names."""
    if isinstance(value, dict):
        return sum(map(value_size, value.values()))
    if isinstance(value, list):
        return sum(map(value_size, value))
    return len(value.encode()) if isinstance(value, str) else len(str(value))


def warn_of_limit(parameters: Parameters, limit: int) -> None:
    """Warn that an answer ends early because it would hold more than ``limit`` bytes."""
    parameters.warn(
        "result",
        f"This result was truncated because it would otherwise be larger than the limit of {limit:,} bytes.",
    )
