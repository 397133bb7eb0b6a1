"""Texts, titles, numbers and times as wikis really have them, and what becomes of them on the stream."""

from datetime import UTC, datetime, timedelta

import pytest

from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from tests.fakes.clients import MODEL
from tests.fakes.edited_wikis import (
    ANONYMOUS,
    BLANK,
    BOT,
    BY_BOT,
    BY_TEMPORARY,
    EMOJI,
    EMPTY,
    JSON_PAGE,
    LARGE,
    LARGEST,
    LONG_TITLE,
    REVERT,
    TEMPORARY,
    edit_of,
)
from tests.fakes.stage import Stage

VALIDATOR = EventValidator(SchemaRepository().load(PREDICTION_SCHEMA))


async def test_e33_too_large_revision_is_skipped_before_the_fetch(stage: Stage) -> None:
    """A revision or a parent whose size in the event is over the limit is skipped without a fetch."""
    assert (await stage.deliver(stage.wikis.event(LARGE))).outcome == "skipped:too_large"
    event = stage.wikis.plain_edit()
    event["prior_state"]["revision"]["rev_size"] = LARGEST + 1
    assert (await stage.deliver(event)).outcome == "skipped:too_large"
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


async def test_e33_too_large_revision_that_the_event_does_not_tell_of_is_skipped_after_the_fetch(
    stage: Stage,
) -> None:
    """If only the API shows that the size is over the limit, the edit is skipped after the fetch.

    A direct call gets 422.
    """
    event = stage.wikis.event(LARGE)
    del event["revision"]["rev_size"]
    assert (await stage.deliver(event)).outcome == "skipped:too_large"
    reply = await stage.ask({"lang": "en", "rev_id": edit_of(LARGE)})
    assert (reply.status, reply.body["code"]) == (422, "too_large")
    assert await stage.posts() == 0


async def test_e33_size_of_what_is_scored_is_a_metric(stage: Stage) -> None:
    """The size of what is scored is a metric, in bytes."""
    event = stage.wikis.plain_edit()
    assert (await stage.deliver(event)).outcome == "produced"
    assert (await stage.counted())["revertrisk_revision_bytes_sum"] == event["revision"]["rev_size"]


async def test_e34_content_model_that_is_not_wikitext_is_skipped(stage: Stage) -> None:
    """A content model other than wikitext is skipped without a fetch; a direct call gets 422."""
    assert (await stage.deliver(stage.wikis.event(JSON_PAGE))).outcome == "skipped:content_model"
    assert await stage.wiki_calls() == []
    reply = await stage.ask({"lang": "en", "rev_id": edit_of(JSON_PAGE)})
    assert (reply.status, reply.body["code"]) == (422, "content_model")
    event = stage.wikis.event(JSON_PAGE)
    for revision in (event["revision"], event["prior_state"]["revision"]):
        del revision["content_slots"]
    assert (await stage.ask({"event": event}, reemit=True)).outcome == "skipped:content_model"
    assert await stage.posts() == 0


@pytest.mark.parametrize("page_id", [EMPTY, BLANK], ids=["empty", "white space"])
async def test_e34_empty_text_is_a_text(stage: Stage, page_id: int) -> None:
    """An empty text is scored: blanking a page is an edit like others."""
    assert (await stage.deliver(stage.wikis.event(page_id))).outcome == "produced"
    assert len(await stage.emitted()) == 1


@pytest.mark.parametrize(
    "text", ["\x00", "\u0085\u2028", "\ufffe", "e\u0301" * 50, "<nowiki>" * 50, "{{" * 400]
)
async def test_e34_odd_characters_and_markup_are_scored(stage: Stage, text: str) -> None:
    """NUL characters, lone combining marks and markup that never closes are scored."""
    data = {
        "lang": "en",
        "text": text,
        "timestamp": "2024-01-02T00:00:00Z",
        "page": {"title": "Foo"},
        "parent": {"text": "", "timestamp": "2024-01-01T00:00:00Z"},
    }
    reply = await stage.ask({"revision_data": data})
    assert reply.status == 200
    assert 0 <= reply.body["output"]["probabilities"]["true"] <= 1


async def test_e35_title_of_255_bytes_in_any_script_is_unchanged(stage: Stage) -> None:
    """A title of 255 bytes in any script is emitted byte for byte."""
    assert len(LONG_TITLE.encode()) == 255
    event = stage.wikis.event(EMOJI)
    assert (await stage.deliver(event)).outcome == "produced"
    assert (await stage.the_emitted())["page"]["page_title"] == event["page"]["page_title"] == LONG_TITLE


async def test_e37_predictions_are_strings_and_the_answers_prediction_a_boolean(stage: Stage) -> None:
    """Predictions are strings in events and booleans in answers; the two probabilities add up to 1."""
    reply = await stage.deliver(stage.wikis.plain_edit())
    output = reply.body["output"]
    assert isinstance(output["prediction"], bool)
    assert (await stage.the_emitted())["predicted_classification"] == {
        "model_name": MODEL,
        "model_version": reply.body["model_version"],
        "predictions": ["true" if output["prediction"] else "false"],
        "probabilities": output["probabilities"],
    }
    assert output["probabilities"]["false"] == round(1 - output["probabilities"]["true"], 6)
    assert output["probabilities"].keys() == {"true", "false"}


async def test_e39_bots_and_reverts_are_scored_like_all_others(stage: Stage) -> None:
    """Edits by bots and reverts are scored like all others; a reader filters by the groups in the event."""
    for rev_id in (edit_of(BY_BOT), edit_of(REVERT) + 1):
        assert (await stage.deliver(stage.wikis.of(rev_id))).outcome == "produced"
    by_bot, revert = await stage.emitted()
    assert (by_bot["performer"]["user_text"], by_bot["performer"]["is_bot"]) == (BOT, True)
    assert "patroller" in revert["performer"]["groups"]


async def test_e40_temporary_account_keeps_its_flag_and_scores_apart_from_others(stage: Stage) -> None:
    """A temporary account is neither an IP address nor a registered account for the model, and keeps `is_temp`."""
    scores = [
        (await stage.deliver(stage.wikis.event(page_id))).body["output"]["probabilities"]["true"]
        for page_id in (BY_TEMPORARY, ANONYMOUS)
    ]
    registered = (await stage.deliver(stage.wikis.plain_edit())).body["output"]["probabilities"]["true"]
    temporary, _, _ = await stage.emitted()
    assert (temporary["performer"]["user_text"], temporary["performer"]["is_temp"]) == (TEMPORARY, True)
    assert registered not in scores


async def test_e41_dt_weeks_ago_is_copied_and_lag_is_counted_from_meta_dt(stage: Stage) -> None:
    """`dt` is copied, however long ago it is; lag is counted from `meta.dt`, the time of receipt."""
    event = stage.wikis.plain_edit()
    event["dt"] = "2024-01-02T00:00:00Z"
    event["meta"]["dt"] = (datetime.now(UTC) - timedelta(seconds=100)).isoformat()
    assert (await stage.deliver(event)).outcome == "produced"
    assert (await stage.the_emitted())["dt"] == "2024-01-02T00:00:00Z"
    counted = await stage.counted()
    assert counted["revertrisk_event_lag_seconds_count"] == 1
    assert 100 <= counted["revertrisk_event_lag_seconds_sum"] < 300


@pytest.mark.parametrize(
    "dt", ["2024-01-02T00:00:00Z", "2024-01-02T00:00:00.0Z", "2024-01-02T01:00:00+01:00", "2024-01-02t00:00:00.123456z"]
)  # fmt: skip
async def test_e50_every_form_of_a_date_is_read_and_emitted_unchanged(stage: Stage, dt: str) -> None:
    """A date with `Z`, a fraction or an offset is read, and emitted unchanged."""
    event = stage.wikis.plain_edit()
    event["dt"] = event["revision"]["rev_dt"] = event["meta"]["dt"] = dt
    assert (await stage.deliver(event)).outcome == "produced"
    emitted = await stage.the_emitted()
    assert (emitted["dt"], emitted["revision"]["rev_dt"]) == (dt, dt)
    assert VALIDATOR.violations(emitted) == []


@pytest.mark.parametrize("dt", ["2024-02-30T00:00:00Z", "2024-01-02T00:00:00", "2024-01-02", "yesterday", ""])
async def test_e50_date_that_does_not_exist_is_refused(stage: Stage, dt: str) -> None:
    """A date that does not exist is refused, with the field named."""
    reply = await stage.deliver(stage.wikis.plain_edit() | {"dt": dt})
    assert (reply.status, [found["pointer"] for found in reply.body["violations"]]) == (400, ["/dt"])
