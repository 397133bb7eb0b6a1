"""``revertrisk explain`` for a revision of a wiki: what ``:explain`` answers, without a server."""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from model_server.admission import Admission
from model_server.errors import ServiceError
from model_server.explaining import ExplainHandler
from model_server.metrics import ServerMetrics
from model_server.pipeline import ScoringPipeline
from model_server.resources import open_resources
from model_server.settings import ServerSettingsError, Settings, read_settings
from revertrisk.cli.explain import UnexplainedError
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.wiki.table import WikiTable, WikiTableError


def explain_revision(model: Path, lang: str, rev_id: int, wiki_url: str | None) -> dict[str, Any]:
    """Fetch a revision as a server would, and return what ``:explain`` answers for it.

    The server's variables (``WIKI_URL``, ``USER_AGENT`` and so on) hold here too. Raise `UnexplainedError` and
    `ArtifactError`.
    """
    overrides = {} if wiki_url is None else {"wiki_url": wiki_url}
    try:
        settings = read_settings(**overrides)
        return asyncio.run(
            _explained(settings, TorchClassifier.load(model), {"lang": lang, "rev_id": rev_id})
        )
    except (ServerSettingsError, WikiTableError, ServiceError) as exc:
        raise UnexplainedError(str(exc)) from exc


async def _explained(
    settings: Settings, classifier: TorchClassifier, call: Mapping[str, Any]
) -> dict[str, Any]:
    wikis, metrics = WikiTable.load(settings.wikis_file), ServerMetrics(CollectorRegistry())
    deadline = asyncio.get_running_loop().time() + settings.request_deadline
    async with open_resources(settings, classifier, wikis, metrics) as resources:
        pipeline = ScoringPipeline(
            resources,
            Admission(1),
            verify_strictly=settings.verifies_strictly,
            max_revision_bytes=settings.max_revision_bytes,
        )
        with closing(ExplainHandler(classifier.name, classifier, resources.requests, pipeline)) as explaining:
            answer = await explaining.answer(orjson.dumps(call), deadline)
    explained: dict[str, Any] = orjson.loads(answer.body)
    return explained
