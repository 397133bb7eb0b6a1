"""The columns of views that are in no table which the view reads, or have another meaning than there.

All other columns are those of a table that the view reads. docs/lake.md is made from both.
"""

from collections.abc import Mapping
from typing import Final

_DAY: Final = "The day (UTC) on which the revision was saved."

VIEW_COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "prediction_current": {
        "day": _DAY,
        "source": "`live`, or `backfill` if there is no live prediction of this model version.",
    },
    "both_models": {
        "day": _DAY,
        "language_agnostic": "The probability of `revertrisk-language-agnostic`; null if it has no prediction.",
        "multilingual": "The probability of `revertrisk-multilingual`; null if it has no prediction.",
    },
    "outcome": {
        "deleted_at": "When the page was first deleted after the edit; null if it was not.",
    },
    "page": {
        "last_kind": "The kind of page change in the page's newest event.",
        "last_event_dt": "When that happened.",
    },
    "page_current": {},
    "coverage": {
        "model_name": "The name of the model.",
        "reason": "`predicted`, the skip reason of the event, or `missing`.",
        "edits": "The number of edits.",
    },
    "mediawiki_history": {
        "wiki_db": "`revision.wiki_id`.",
        "event_entity": "Always `revision`.",
        "event_type": "Always `create`.",
        "event_timestamp": "`revision.dt`. In `wmf.mediawiki_history` it is a text.",
        "event_user_text": "The name of a listed bot; the actor key of any other user.",
        "event_user_is_anonymous": "True unless the user is registered; so also for hidden and unknown users.",
        "event_user_revision_count": "The smallest number of `revision.edit_bucket`; null if it is unknown.",
        "page_namespace": "`revision.namespace_id`.",
        "page_namespace_is_content": "`revision.is_content_namespace`.",
        "revision_id": "`revision.rev_id`.",
        "revision_parent_id": "`revision.parent_id`.",
        "revision_minor_edit": "`revision.is_minor`.",
        "revision_text_bytes": "`revision.rev_size`.",
        "revision_text_bytes_diff": "`revision.rev_size` minus `revision.parent_size`.",
        "revision_is_identity_revert": "Whether the revision is in `revert`.",
        "revision_is_identity_reverted": "Whether the revision is in `reverted`.",
        "revision_first_identity_reverting_revision_id": "`reverted.first_revert_id`.",
        "revision_seconds_to_identity_revert": "`reverted.seconds_to_revert`.",
        "snapshot": "The present month, such as `2026-11`, so that a filter on the newest snapshot keeps all rows.",
    },
    "bot_day": {
        "day": "The day (UTC) of the revert.",
        "user_kind": "The kind of the reverted user.",
        "edit_bucket": "Earlier edits of the reverted user: `0-99`, `100-499`, `500+` or `unknown`.",
        "bot": "The name of the listed bot that reverted; null for other users.",
        "reverts": "The number of reverts within 24 hours of the edit.",
        "reverts_reverted": "How many of them were undone.",
        "reverts_reverted_by_base_editor": "How many of them were undone by the author of the reverted edit.",
        "edits_reverted": "The number of edits that they undid.",
    },
}
