"""Open everything that a backfill needs, and refuse what cannot work."""

import asyncio
import hashlib
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from revertrisk import dispatcher
from revertrisk.backfill.checkpoint import BackfillCheckpoint
from revertrisk.backfill.limiter import RateLimiter
from revertrisk.backfill.prediction_file import PredictionFile
from revertrisk.backfill.run import OUTPUT_BEGUN, Backfill
from revertrisk.backfill.selection_verdict import Filters, SelectionJudge
from revertrisk.backfill.settings import BackfillSettings, ListedItems, SettingsError, read_list
from revertrisk.backfill.target import Scorer, ask_target
from revertrisk.dispatcher.client import new_session
from revertrisk.dispatcher.opening import NOWHERE, target_of
from revertrisk.dispatcher.outcome import Ending
from revertrisk.dispatcher.rule_language.rule import Case, Rule
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.wiki.table import Wiki, WikiTable, WikiTableError

if TYPE_CHECKING:
    from revertrisk.backfill.local import LocalModel

SHIPPED_RULES = Path(dispatcher.__file__).parent / "rules"


def open_backfill(settings: BackfillSettings, stack: ExitStack, runner: asyncio.Runner) -> Backfill:
    """Check everything that can be checked before a wiki is asked, and open the checkpoint.

    Raises:
        SettingsError, TargetError, RuleFileError, BackfillCheckpointError, OutputError: something cannot be used.

    """
    settings.check_folders()
    try:
        wikis = WikiTable.load(settings.wikis_file)
    except WikiTableError as exc:
        raise SettingsError(f"wikis-file: {exc}") from exc
    settings.check_hosts(wikis)
    chosen = _wikis(settings, wikis)
    listed = ListedItems()
    for flag, name in (("revisions", settings.revisions), ("titles", settings.titles)):
        if name is not None:
            listed = read_list(flag, name)
    target = target_of(settings.target)
    local = None if target is not None else _load_model(settings, wikis)
    scorer = local.scorer if local is not None else runner.run(_ask(settings, str(target)))
    for wiki_id in chosen:
        if wiki_id not in scorer.wikis:
            raise SettingsError(f"wiki: {wiki_id} is none of the wikis that {scorer.model_name} scores there")
    rule_file = settings.rule_file or _shipped_rule(scorer.model_name)
    rule = _rule(rule_file, target)
    checkpoint = stack.enter_context(BackfillCheckpoint(settings.checkpoint))
    is_new = checkpoint.begin(settings.selection(chosen, scorer.identity, _digest(rule_file), listed))
    limiter = RateLimiter(settings.rate)
    if not is_new:  # an earlier run may have been killed within this second, with its places full
        limiter.pause(limiter.held_s)
    if checkpoint.fact("planned_at") is None:
        checkpoint.note_fact("planned_at", datetime.now(UTC).isoformat(timespec="seconds"))
    if settings.local is not None:
        _take_up_output(settings.local, checkpoint)
    filters = Filters(
        since=settings.since,
        until=settings.until,
        namespaces=settings.namespaces,
        user_kinds=settings.user_kinds,
        page_age_from=settings.page_age_from,
        page_age_to=settings.page_age_to,
    )
    judge = SelectionJudge(wikis, filters, rule, max_revision_bytes=scorer.max_revision_bytes)
    return Backfill(
        settings, chosen, listed, target, local, scorer, rule, rule_file, checkpoint, judge, limiter
    )


def _wikis(settings: BackfillSettings, table: WikiTable) -> dict[str, Wiki]:
    chosen = {}
    for name in settings.wikis:
        wiki = table.by_name(name)
        if wiki is None:
            raise SettingsError(f"wiki: {name!r} is no wiki of the wiki table: give an id such as enwiki")
        chosen[wiki.wiki_id] = wiki
    return chosen


def _shipped_rule(model_name: str) -> Path:
    for path in SHIPPED_RULES.glob("*.yaml"):  # not a path made of the name, which a server has told
        if path.stem == model_name:
            return path
    raise SettingsError(f"rule: no rule is shipped for {model_name}: name one with --rule")


def _rule(path: Path, target: str | None) -> Rule:
    rules = load_rules(path, target=target or NOWHERE)
    if len(rules) != 1:
        raise SettingsError(f"rule: {path}: expected one rule, not {len(rules)}")
    return replace(rules[0], cases=tuple(_to_the_target(case, target or NOWHERE) for case in rules[0].cases))


def _to_the_target(case: Case, target: str) -> Case:
    """Make sure that events go to the server which was asked for its stream, and to no other.

    The shipped rules name the live producer in their ``host`` header: a gateway that goes by it would pass the
    target's answer on, and hand the events to the live server.
    """
    request = case.request
    begins = "".join(str(part) for part in takewhile(lambda part: isinstance(part, str), request.uri.parts))
    if not begins.startswith(target.rstrip("/") + "/"):
        raise SettingsError(
            "rule: exec.uri must begin with {{globals.target}}/: events go to that server only"
        )
    headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
    return replace(case, request=replace(request, headers=headers))


def _digest(path: Path) -> str:
    return f"{path.name} ({hashlib.sha256(path.read_bytes()).hexdigest()[:12]})"


def _load_model(settings: BackfillSettings, wikis: WikiTable) -> "LocalModel":
    try:
        from revertrisk.backfill.local import load_model  # noqa: PLC0415 - torch takes seconds, and not everybody has it
    except ModuleNotFoundError as exc:
        raise SettingsError(
            "local: scoring here needs the extra: pip install 'revertrisk-events[serve]'"
        ) from exc
    return load_model(wikis, wiki_url=settings.wiki_url, user_agent=settings.user_agent)


async def _ask(settings: BackfillSettings, target: str) -> Scorer:
    async with new_session(settings.user_agent) as session:
        return await ask_target(session, target)


def _take_up_output(path: Path, checkpoint: BackfillCheckpoint) -> None:
    """See which predictions are in the file already, and try again what failed: nothing else keeps it."""
    if checkpoint.fact(OUTPUT_BEGUN) is None:
        if path.exists() and path.stat().st_size:
            raise SettingsError(f"local: {path} has something in it that this backfill did not write")
        return
    with PredictionFile(path) as out:
        checkpoint.note_outcomes(out.revisions(), Ending.PRODUCED)
    checkpoint.forget_given_up()
