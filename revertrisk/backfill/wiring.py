"""Builds a backfill from its settings, and refuses invalid settings. No other module of it sees the settings."""

import asyncio
import hashlib
import shlex
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from revertrisk import dispatcher
from revertrisk.backfill.checkpoint import BackfillCheckpoint
from revertrisk.backfill.limiter import RateLimiter
from revertrisk.backfill.listing import selection_of
from revertrisk.backfill.prediction_file import PredictionFile
from revertrisk.backfill.run import Backfill
from revertrisk.backfill.selection_verdict import Filters, SelectionJudge
from revertrisk.backfill.sending import NoLetters
from revertrisk.backfill.settings import BackfillSettings, ListedItems, SettingsError, read_list
from revertrisk.backfill.target import Scorer, ask_target
from revertrisk.backfill.wiki_api import open_wiki_api
from revertrisk.dispatcher.client import Sender, ServiceClient, new_session
from revertrisk.dispatcher.deadletters import DeadLetterFile, DeadLetters
from revertrisk.dispatcher.rule_language.rule import Case, Rule
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.dispatcher.wiring import NOWHERE, target_of
from revertrisk.runtime.proxies import ProxyError, proxy_of
from revertrisk.wiki.relay import has_proxy_for_wikis, wiki_relay
from revertrisk.wiki.table import Wiki, WikiTable, WikiTableError

if TYPE_CHECKING:
    from revertrisk.backfill.local import LocalModel

OUTPUT_BEGUN = "output_begun"
"""The key in the checkpoint that says: this backfill has begun the file of predictions."""
SHIPPED_RULES = Path(dispatcher.__file__).parent / "rules"


def open_backfill(settings: BackfillSettings, stack: ExitStack, runner: asyncio.Runner) -> Backfill:
    """Check everything that can be checked without a wiki, and open the checkpoint.

    Raises:
        SettingsError, TargetError, RuleFileError, BackfillCheckpointError, OutputError: an input cannot be used.

    """
    settings.check_folders()
    try:
        wikis = WikiTable.load(settings.wikis_file)
    except WikiTableError as exc:
        raise SettingsError(f"wikis-file: {exc}") from exc
    settings.check_hosts(wikis)
    chosen = _wikis(settings.wikis, wikis)
    listed = _listed(settings.revisions, settings.titles)
    rev_ids = listed.rev_ids() if settings.revisions is not None else []
    target = target_of(settings.target)
    local = None
    wiki_url = settings.wiki_url
    try:
        is_behind_a_proxy = wiki_url is None and has_proxy_for_wikis(wikis)
        proxy_of(wiki_url or "")  # only to refuse an invalid proxy here, before any request
    except ProxyError as exc:
        raise SettingsError(str(exc)) from exc
    if target is None:
        if is_behind_a_proxy:
            wiki_url = stack.enter_context(wiki_relay(wikis))
        local = _load_model(wikis, wiki_url=wiki_url, user_agent=settings.user_agent)
    scorer = local.scorer if local is not None else runner.run(_ask(str(target), settings.user_agent))
    _check_scored(chosen, scorer)
    rule_file = settings.rule_file or _shipped_rule(scorer.model_name)
    rule = _rule(rule_file, target)
    checkpoint = stack.enter_context(BackfillCheckpoint(settings.checkpoint))
    limiter = RateLimiter(settings.rate)
    is_new = checkpoint.begin(settings.selection(chosen, scorer.identity, _digest(rule_file), listed))
    if (
        not is_new
    ):  # an earlier run may have been killed less than a second ago: its requests count for the limit
        limiter.pause(limiter.held_s)
    if checkpoint.fact("planned_at") is None:
        checkpoint.note_fact("planned_at", datetime.now(UTC).isoformat(timespec="seconds"))
    filters = Filters(
        since=settings.since,
        until=settings.until,
        namespaces=settings.namespaces,
        user_kinds=settings.user_kinds,
        page_age_from=settings.page_age_from,
        page_age_to=settings.page_age_to,
    )
    if local is not None and settings.local is not None:
        _take_up_output(settings.local, checkpoint)
        how_to_retry = "the same command"
        open_sender = partial(_open_file, local, settings.local, checkpoint)
    else:
        words = ("revertrisk", "redrive", "--source", f"dead-letters:{settings.dead_letters}")
        how_to_retry = shlex.join((*words, "--rule", str(rule_file), "--target", str(target)))
        open_sender = partial(_open_target, settings.user_agent, settings.dead_letters)
    return Backfill(
        wikis=chosen,
        target=target,
        scorer=scorer,
        rule=rule,
        checkpoint=checkpoint,
        judge=SelectionJudge(wikis, filters, rule, max_revision_bytes=scorer.max_revision_bytes),
        limiter=limiter,
        latest_only=not settings.all_revisions and settings.revisions is None,
        concurrency=settings.concurrency,
        how_to_retry=how_to_retry,
        select=partial(
            selection_of,
            rev_ids=rev_ids,
            titles=listed.items if settings.titles is not None else (),
            category=settings.category,
            namespaces=settings.namespaces,
            since=settings.since,
            until=settings.until,
            all_revisions=settings.all_revisions,
        ),
        # Not the relay's address: the relay is for the model, and this client uses the proxy itself.
        open_wiki_api=partial(
            open_wiki_api, limiter, user_agent=settings.user_agent, wiki_url=settings.wiki_url
        ),
        open_sender=open_sender,
    )


def _wikis(names: Sequence[str], table: WikiTable) -> dict[str, Wiki]:
    chosen = {}
    for name in names:
        wiki = table.by_name(name)
        if wiki is None:
            raise SettingsError(f"wiki: {name!r} is not in the wiki table: give an id such as enwiki")
        chosen[wiki.wiki_id] = wiki
    return chosen


def _listed(revisions: str | None, titles: str | None) -> ListedItems:
    if revisions is not None:
        return read_list("revisions", revisions)
    return ListedItems() if titles is None else read_list("titles", titles)


def _check_scored(wikis: Iterable[str], scorer: Scorer) -> None:
    for wiki_id in wikis:
        if wiki_id not in scorer.wikis:
            raise SettingsError(f"wiki: {scorer.model_name} does not support {wiki_id}")


def _shipped_rule(model_name: str) -> Path:
    for path in SHIPPED_RULES.glob("*.yaml"):  # the name comes from a server, so no path is built from it
        if path.stem == model_name:
            return path
    raise SettingsError(f"rule: no rule is shipped for {model_name}: name one with --rule")


def _rule(path: Path, target: str | None) -> Rule:
    rules = load_rules(path, target=target or NOWHERE)
    if len(rules) != 1:
        raise SettingsError(f"rule: {path}: expected one rule, not {len(rules)}")
    return replace(
        rules[0], cases=tuple(_limited_to_target(case, target or NOWHERE) for case in rules[0].cases)
    )


def _limited_to_target(case: Case, target: str) -> Case:
    """Return the case with requests that reach only the server whose stream was checked; raises SettingsError.

    The shipped rules have the live producer in their ``host`` header. A gateway that routes by it would answer the
    check from the target, and send the events to the live server. So that header is removed.
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


def _load_model(wikis: WikiTable, *, wiki_url: str | None, user_agent: str) -> "LocalModel":
    try:
        from revertrisk.backfill.local import load_model  # noqa: PLC0415 - torch takes seconds, and is an extra
    except ModuleNotFoundError as exc:
        raise SettingsError(
            "local: scoring here needs the extra: pip install 'revertrisk-events[serve]'"
        ) from exc
    return load_model(wikis, wiki_url=wiki_url, user_agent=user_agent)


async def _ask(target: str, user_agent: str) -> Scorer:
    async with new_session(user_agent) as session:
        return await ask_target(session, target)


@asynccontextmanager
async def _open_target(user_agent: str, dead_letters: Path) -> AsyncIterator[tuple[Sender, DeadLetters]]:
    async with new_session(user_agent) as session:
        with DeadLetterFile(dead_letters) as letters:
            yield ServiceClient(session), letters


@asynccontextmanager
async def _open_file(
    local: "LocalModel", path: Path, checkpoint: BackfillCheckpoint
) -> AsyncIterator[tuple[Sender, DeadLetters]]:
    checkpoint.note_fact(OUTPUT_BEGUN, "yes")
    with PredictionFile(path) as out:
        async with local.sending_to(out) as sender:
            yield sender, NoLetters()


def _take_up_output(path: Path, checkpoint: BackfillCheckpoint) -> None:
    """Record which predictions are in the file; others that were written or given up are pending again."""
    if checkpoint.fact(OUTPUT_BEGUN) is None:
        if path.exists() and path.stat().st_size:
            raise SettingsError(f"local: {path} is not empty, and this backfill did not write it")
        return
    with PredictionFile(path) as out:
        checkpoint.take_up(out.revisions())
