"""What an event and the API tell of an edit reaches every feature that there is."""

from datetime import UTC, datetime, timedelta

from model_server.eligibility import ScorableRevision, assess
from model_server.mediawiki import FetchedRevision
from revertrisk.event_platform.page_change import Editor, RevisionRef
from revertrisk.scoring.features import extract
from revertrisk.scoring.probe import PROBE
from revertrisk.wiki.table import WikiTable
from tests.fakes.revision_facts import ORDINARY_EDIT

EDITED = ORDINARY_EDIT._replace(
    text=PROBE.text, comment=PROBE.comment, tags=frozenset({"mobile edit", "visualeditor"})
)
PARENT = ORDINARY_EDIT._replace(
    rev_id=99,
    text=PROBE.parent.text,
    saved_at=datetime(2005, 12, 1, tzinfo=UTC),
    user_text="192.0.2.1",
    user_id=0,
)
EDITOR = Editor(
    user_text="Example",
    user_id=7,
    edit_count=12,
    groups=("*", "user", "sysop"),
    is_bot=False,
    registration_dt=EDITED.saved_at - timedelta(days=36),
)
OF_AN_ACCOUNT = {"user_age", "user_edit_count", "user_is_bot", "user_is_bot_or_admin", "user_is_privileged"}


def values(editor: Editor | None) -> dict[str, float | None]:
    """Return the features of the edit as the server takes them."""
    wiki = WikiTable.load().by_id("enwiki")
    assert wiki is not None
    assessed = assess(
        RevisionRef(wiki, 100, 99),
        FetchedRevision(EDITED, PARENT),
        editor,
        page_is_known=True,
        max_bytes=1_000,
    )
    assert isinstance(assessed, ScorableRevision)
    return dict(extract(assessed.revision).values)


def test_t6_an_event_fills_every_feature() -> None:
    """T6: a feature that nothing fills while serving would have been learnt for nothing."""
    found = values(EDITOR)
    assert [name for name, value in found.items() if value is None] == []
    assert {name: found[name] for name in OF_AN_ACCOUNT} == {
        "user_age": 36,
        "user_edit_count": 12,
        "user_is_bot": 0,
        "user_is_bot_or_admin": 1,
        "user_is_privileged": 1,
    }


def test_a_direct_call_leaves_the_account_unknown() -> None:
    """What a wiki says of an account today is not what was so at the edit, so it is not asked."""
    found = values(None)
    assert {name for name, value in found.items() if value is None} == OF_AN_ACCOUNT
    assert found["user_is_anonymous"] == 0
