"""Whether ``{{match.…}}`` can find anything: a typing error in a group's name would otherwise show in no request."""

from collections.abc import Iterable, Sequence
from typing import Any

from revertrisk.dispatcher.rule_language.matching import Condition
from revertrisk.dispatcher.rule_language.problems import Problems
from revertrisk.dispatcher.rule_language.templates import Reference


def refuse_missing_groups(
    references: Iterable[Reference], matches: Sequence[Condition | None], problems: Problems
) -> None:
    """Note every reference to a named group that none of the matches has; no match at all is None."""
    captures = [match.group_names() if match is not None else {} for match in matches]
    for reference in references:
        path = reference[1:] if reference[0] == "globals" else reference
        if path[:1] == ("match",) and not any(_captured(path[1:], groups) for groups in captures):
            problems.add(f"{{{{{'.'.join(reference)}}}}}: the match has no such named group")


def _captured(steps: Sequence[str], groups: dict[str, Any]) -> bool:
    """Tell whether ``match.<steps>`` is a captured group, by its whole path or by its bare name."""
    if not steps:
        return bool(groups)
    if len(steps) == 1 and _has_group(steps[0], groups):
        return True
    found: Any = groups
    for step in steps:
        if not isinstance(found, dict) or step not in found:
            return False
        found = found[step]
    return True


def _has_group(name: str, groups: dict[str, Any]) -> bool:
    return any(
        _has_group(name, part) if isinstance(part, dict) else key == name for key, part in groups.items()
    )
