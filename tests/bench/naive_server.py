"""A KServe server that works as Lift Wing's revert-risk server does; written for this benchmark alone.

KServe's own REST stack and logs; two calls to MediaWiki, one after the other, over a shared session; the model on
the event loop; for each event a new session with a new TLS context, and one POST.
"""

import argparse
import ssl
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import certifi
import mwapi

sys.path.insert(0, str(Path(__file__).parents[2]))

from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind
from tests.bench.compute import classifier

STREAM = "mediawiki.page_revert_risk_prediction_change.v1"
COPIED = (
    "changelog_kind",
    "page_change_kind",
    "dt",
    "wiki_id",
    "page",
    "performer",
    "prior_state",
    "comment",
)
CERTIFICATES = 3
"""In the CA file: a bundle of a distribution has 144 and costs thirty times as much to load."""
TIMEOUT = aiohttp.ClientTimeout(total=5)


def ca_file(folder: Path) -> Path:
    """Write a CA file of few certificates."""
    end = "-----END CERTIFICATE-----\n"
    certificates = Path(certifi.where()).read_text().split(end)[:CERTIFICATES]
    file = folder / "ca.pem"
    file.write_text(end.join([*certificates, ""]))
    return file


def without_slots(revision: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in revision.items() if name != "content_slots"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", default="")
    parser.add_argument("--ca-file", default=None)
    parser.add_argument("--model", default="null")
    parser.add_argument("--echo", action="store_true", help="answer every body with itself")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # kserve parses it when it is imported

    import kserve  # noqa: PLC0415

    scorer = classifier(arguments.model)
    wikis = WikiTable.load()

    class EchoModel(kserve.Model):  # type: ignore[misc]  # kserve ships no types
        async def predict(self, payload: Any, headers: Any = None) -> Any:
            return payload

    class NaiveModel(kserve.Model):  # type: ignore[misc]  # kserve ships no types
        def __init__(self, name: str) -> None:
            super().__init__(name)
            self._session: aiohttp.ClientSession | None = None

        async def preprocess(self, payload: Any, headers: Any = None) -> Any:
            event = payload["event"]
            wiki = wikis.by_id(event["wiki_id"])
            assert wiki is not None
            if self._session is None:
                self._session = aiohttp.ClientSession(timeout=TIMEOUT)
            api = mwapi.AsyncSession(
                arguments.upstream,
                user_agent="naive",
                formatversion=2,
                session=self._session,
            )
            api.headers["Host"] = wiki.domain
            page, revision = await self._revision(api, event["revision"]["rev_id"])
            _, parent = await self._revision(api, revision["parentid"])
            return event, Revision(
                wiki_id=wiki.wiki_id,
                language=wiki.language,
                rev_id=revision["revid"],
                timestamp=datetime.fromisoformat(revision["timestamp"]),
                text=revision["slots"]["main"]["content"],
                parent=ParentRevision(
                    rev_id=parent["revid"],
                    timestamp=datetime.fromisoformat(parent["timestamp"]),
                    text=parent["slots"]["main"]["content"],
                ),
                page=Page(page_id=page["pageid"], title=page["title"], namespace_id=page["ns"]),
                user=User(kind=UserKind.REGISTERED),
                comment=revision["comment"],
            )

        async def _revision(self, api: mwapi.AsyncSession, rev_id: int) -> tuple[Any, Any]:
            document = await api.get(
                action="query",
                prop="revisions",
                revids=rev_id,
                rvprop="ids|timestamp|flags|user|userid|comment|sha1|size|tags|content",
                rvslots="main",
            )
            (page,) = document["query"]["pages"]
            return page, page["revisions"][0]

        async def predict(self, payload: Any, headers: Any = None) -> Any:
            event, revision = payload
            (prediction,) = scorer.score([revision])
            return event, prediction

        async def postprocess(self, result: Any, headers: Any = None) -> Any:
            event, prediction = result
            classes = ["true" if prediction.is_revert_predicted else "false"]
            emitted = {name: event[name] for name in COPIED if name in event} | {
                "$schema": "/mediawiki/page/prediction_classification_change/1.3.0",
                "meta": {
                    **{name: event["meta"][name] for name in ("uri", "domain", "request_id")},
                    "stream": STREAM,
                    "id": str(uuid.uuid4()),
                    "dt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                },
                "revision": without_slots(event["revision"]),
                "predicted_classification": {
                    "model_name": prediction.model_name,
                    "model_version": prediction.model_version,
                    "predictions": classes,
                    "probabilities": prediction.probabilities,
                },
            }
            if "prior_state" in emitted:
                emitted["prior_state"] = {"revision": without_slots(emitted["prior_state"]["revision"])}
            context = ssl.create_default_context(cafile=arguments.ca_file)
            async with (
                aiohttp.ClientSession(
                    timeout=TIMEOUT, connector=aiohttp.TCPConnector(ssl=context)
                ) as session,
                session.post(f"{arguments.upstream}/v1/events", json=emitted) as answer,
            ):
                answer.raise_for_status()
            return {
                "model_name": prediction.model_name,
                "model_version": prediction.model_version,
                "wiki_db": event["wiki_id"],
                "revision_id": event["revision"]["rev_id"],
                "output": {
                    "prediction": prediction.is_revert_predicted,
                    "probabilities": prediction.probabilities,
                },
            }

    model = (EchoModel if arguments.echo else NaiveModel)(scorer.name)
    model.load()
    kserve.ModelServer(http_port=arguments.port, enable_grpc=False, workers=1).start([model])


if __name__ == "__main__":
    main()
