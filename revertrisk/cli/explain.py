"""``revertrisk explain``: explains the score of an edit, which is two files or a revision of a wiki."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
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
from revertrisk.runtime.proxies import ProxyError
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.wiki.relay import has_proxy_for_wikis, wiki_relay
from revertrisk.wiki.table import WikiTable, WikiTableError
from revertrisk.wiki.user_kinds import UserKind


class UnexplainedError(Exception):
    """The edit cannot be explained; the message says why."""


def explain_files(model: Path, old: Path, new: Path, user: UserKind, comment: str | None) -> dict[str, Any]:
    """Explain an edit from the files with the text before and after it; all other facts are unknown.

    Raises:
        UnexplainedError: a file cannot be read as UTF-8.
        ArtifactError: the model cannot be used.

    """
    classifier = TorchClassifier.load(model)
    saved = datetime.fromtimestamp(0, UTC)  # any time will do: no feature depends on it
    try:
        before, after = old.read_text(encoding="utf-8"), new.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UnexplainedError(f"{old.name}, {new.name}: expected two texts in UTF-8") from exc
    revision = Revision(
        wiki_id="enwiki",
        language="en",
        rev_id=2,
        timestamp=saved,
        text=after,
        parent=ParentRevision(rev_id=1, timestamp=saved, text=before),
        page=Page(page_id=1, title="", namespace_id=0),
        user=User(kind=user),
        comment=comment,
    )
    explanation = classifier.explain(revision)
    prediction = explanation.prediction
    return {
        "model_name": prediction.model_name,
        "model_version": prediction.model_version,
        "output": {"prediction": prediction.is_revert_predicted, "probabilities": prediction.probabilities},
        "explanation": explanation.to_json(),
    }


def explain_revision(model: Path, lang: str, rev_id: int, wiki_url: str | None) -> dict[str, Any]:
    """Fetch a revision as a server would, and return the server's answer to ``:explain``.

    The server's settings are read from the environment (``WIKI_URL``, ``USER_AGENT`` and so on). Unlike a server, this
    also uses ``HTTPS_PROXY``.

    Raises:
        UnexplainedError: the settings, the wiki or the revision cannot be used.
        ArtifactError: the model cannot be used.

    """
    overrides = {} if wiki_url is None else {"wiki_url": wiki_url}
    try:
        with ExitStack() as stack:
            settings = read_settings(**overrides)
            wikis = WikiTable.load(settings.wikis_file)
            if settings.wiki_url is None and has_proxy_for_wikis(wikis):
                settings = read_settings(wiki_url=stack.enter_context(wiki_relay(wikis)))
            return asyncio.run(
                _explained(settings, TorchClassifier.load(model), {"lang": lang, "rev_id": rev_id})
            )
    except (ServerSettingsError, WikiTableError, ServiceError, ProxyError) as exc:
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


def show(answer: Mapping[str, Any]) -> str:
    """Return an answer as text."""
    parts = answer["explanation"]
    lines = [
        f"{answer['model_name']} {answer['model_version']}",
        f"probability {answer['output']['probabilities']['true']:.6f}, logit {parts['logit']:+.4f}",
        "",
        f"{parts['base']:+9.4f}  the average edit",
    ]
    for each in parts["contributions"]:
        value = "" if each["value"] is None else f" = {each['value']:.4g}"
        lines.append(f"{each['amount']:+9.4f}  {each['name']}{value}")
    for span in parts["spans"]:
        lines += ["", f"{span['weight']:+9.4f}  - {span['removed']!r}", f"           + {span['inserted']!r}"]
    return "\n".join(lines)
