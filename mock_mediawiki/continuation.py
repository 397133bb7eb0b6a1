"""Continuation of a query that does not fit into one answer: the ``continue`` object of the Action API.

https://www.mediawiki.org/wiki/API:Continue: a client sends the whole object with its next request. Its member
``continue`` is ``<parameters of the generator>||<modules that have finished>``. While a prop module is unfinished,
the generator repeats its batch. When all prop modules have finished, the generator takes the next batch, and they
start again.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mock_mediawiki.parameters import ApiError, Parameters

_GENERATOR_DONE: Final = "-"


def bad_continue() -> ApiError:
    """Return the error for a ``continue`` value that no answer contains."""
    return ApiError(
        "badcontinue",
        "Invalid continue param. You should pass the original value returned by the previous query.",
    )


class Continuation:
    """Where one request starts in a longer answer, and where the next request starts.

    ``props`` are the modules about the requested pages, ``others`` are the list modules.

    Raises:
        ApiError: ``badcontinue`` if ``continue`` has no ``||``.

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
        """Return whether this request runs a module: it is requested, and has not finished before."""
        return module in self._modules and module not in self._skipped

    @property
    def needs_pages(self) -> bool:
        """False if only lists continue, so that the pages need not be looked up again."""
        return not self._props or any(map(self.runs, self._props))

    def continue_module(self, module: str, name: str, value: str) -> None:
        """Set the parameter with which a module continues."""
        self._unfinished[module] = {name: value}

    def continue_generator(self, name: str, value: str) -> None:
        """Set the parameter with which the generator continues."""
        self._generator = {name: value}

    def as_json(self) -> dict[str, Any]:
        """Return the members ``continue`` and ``batchcomplete`` of an answer."""
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
    """Return the size of a value as MediaWiki counts it: the bytes of the values in it, without their names."""
    if isinstance(value, dict):
        return sum(map(value_size, value.values()))
    if isinstance(value, list):
        return sum(map(value_size, value))
    return len(value.encode()) if isinstance(value, str) else len(str(value))


def warn_of_limit(parameters: Parameters, limit: int) -> None:
    """Add the warning that an answer ends early because it would hold more than ``limit`` bytes."""
    parameters.warn(
        "result",
        f"This result was truncated because it would otherwise be larger than the limit of {limit:,} bytes.",
    )
