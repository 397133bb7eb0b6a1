"""What a wiki says of an ordinary edit; tests change what they are about."""

from datetime import UTC, datetime

from revertrisk.wiki.revision_facts import RevisionFacts

ORDINARY_EDIT = RevisionFacts(
    page_id=12,
    title="Foo",
    namespace_id=0,
    is_redirect=False,
    rev_id=100,
    parent_id=99,
    timestamp="2006-01-01T00:00:00Z",
    saved_at=datetime(2006, 1, 1, tzinfo=UTC),
    is_minor=False,
    size=10,
    sha1=bytes(20),
    content_model="wikitext",
    text=None,
    comment="",
    user_text="Example",
    user_id=7,
    is_temp=False,
    tags=frozenset(),
    hidden_text=False,
    hidden_user=False,
    hidden_comment=False,
)
