"""The lake over the whole history of a real page: reverts, labels, and the queries of the bots' notebook."""

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

import nbformat
import pytest

from revertrisk.event_platform.page_change import PageChange
from revertrisk.labels.recorded import page_edit
from revertrisk.lake import Reader
from revertrisk.lake.check import check
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.tables import Lake
from revertrisk.scoring.training.labelling import Label, NotLabelled, label_page
from tests.fakes.lakes import write_lines
from tests.fakes.notebooks import NOTEBOOK, outputs, run_notebook
from tests.fakes.real_data import EDITS, OLD_PAGES, PAGE, PAGE_LABELS
from tests.fakes.real_lakes import EventsOfExport, notebook_query

pytestmark = [pytest.mark.ci("real data"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def lines(events_of_export: EventsOfExport) -> list[bytes]:
    return events_of_export(PAGE).read_bytes().splitlines()


@pytest.fixture
def reader(page_lake: Lake) -> Iterator[Reader]:
    reader = Reader(page_lake.root)
    yield reader
    reader.close()


def test_its_reverts_are_those_of_the_labelled_history(page_lake: Lake, reader: Reader) -> None:
    """3,810 edits were reverted, 167 by their author; each edit is as the labelled history has it."""
    counts = reader.query("SELECT count(*), count(*) FILTER (WHERE is_self) FROM reverted").fetchall()
    assert counts == [(3810, 167)]
    reverted = {rev_id for (rev_id,) in reader.query("SELECT rev_id FROM reverted").fetchall()}
    with gzip.open(EDITS / PAGE_LABELS) as rows:
        labels = {row["rev_id"]: row for row in map(json.loads, rows)}
    assert len(labels) == 15_180
    differing = {rev_id for rev_id, row in labels.items() if bool(row["label"]) != (rev_id in reverted)}
    assert differing == set()
    assert list(check(page_lake)) == []


def unlike_labels(lines: list[bytes], reader: Reader) -> set[int]:
    """Return the edits whose outcome within 48 hours is not as their label says, or not as the reason for having none.

    The labels follow the order of (timestamp, rev_id), as MediaWiki does when it tags reverted edits.
    """
    changes = [PageChange.of(json.loads(line)) for line in lines]
    rows = reader.query(
        "SELECT o.rev_id, coalesce(o.seconds_to_revert <= 48 * 3600, false), coalesce(e.is_null_edit, false), "
        "coalesce(o.is_self, false), coalesce(epoch(o.revert_reverted_at - f.dt) <= 48 * 3600, false) "
        "FROM outcome o JOIN revision e USING (wiki_id, rev_id) "
        "LEFT JOIN revert f ON o.wiki_id = f.wiki_id AND o.first_revert_id = f.rev_id"
    ).fetchall()
    known = {row[0]: row[1:] for row in rows}
    assert len(known) == len(lines)
    edits = sorted(map(page_edit, changes), key=lambda edit: (edit.page_id, edit.timestamp, edit.rev_id))
    differing = set()
    for _, page in groupby(edits, key=lambda edit: edit.page_id):
        for edit, label in label_page(page):
            within, is_null_edit, is_self, is_undone = known[edit.rev_id]
            if isinstance(label, Label):
                agrees = label.reverted == within
            elif label is NotLabelled.NULL_EDIT:
                agrees = is_null_edit
            else:
                agrees = within and (is_self if label is NotLabelled.SELF_REVERT else is_undone)
            if not agrees:
                differing.add(edit.rev_id)
    return differing


def test_it_agrees_with_the_labels_for_training(lines: list[bytes], reader: Reader) -> None:
    """Each edit is reverted within 48 hours here as its label says, or has the same reason for having no label."""
    assert unlike_labels(lines, reader) == set()


def test_ids_that_are_not_in_order_of_time(events_of_export: EventsOfExport, tmp_path: Path) -> None:
    """In 24 old histories, no edit is reverted by itself or by an earlier one, and each is as its label says.

    They are one batch, the page above is several.
    """
    lines = events_of_export(OLD_PAGES).read_bytes().splitlines()
    lake = make_lake(str(tmp_path / "lake"), str(tmp_path / "key"))
    write_lines(lake, lines, batch=len(lines))
    with closing(Reader(lake.root)) as reader:
        query = "SELECT rev_id FROM reverted WHERE first_revert_id = rev_id OR seconds_to_revert < 0"
        assert reader.query(query).fetchall() == []
        assert unlike_labels(lines, reader) == set()
        assert reader.query("SELECT count(*) FROM reverted").fetchall() == [(1925,)]
    assert list(check(lake)) == []


@pytest.mark.parametrize(("query", "rows"), [("bot_reverts", 968), ("reverted_bot_reverts", 9)])
def test_the_notebooks_queries_run_as_they_are(reader: Reader, query: str, rows: int) -> None:
    """Both queries of the 2023 notebook find `wmf.mediawiki_history`, and the rows that are known of this page."""
    assert len(reader.query(notebook_query(reader.connection, query)).fetchall()) == rows


def test_our_notebook_shows_what_those_queries_find(page_lake: Lake, reader: Reader, tmp_path: Path) -> None:
    """Row by row; its kept outputs are those of this page. ``UPDATE_README=1`` writes them anew."""
    copies = "; ".join(
        f"lake.execute(\"COPY {table} TO '{tmp_path}/{table}.parquet'\")"
        for table in ("bot_reverts", "undone_bot_reverts")
    )
    notebook = run_notebook(NOTEBOOK, page_lake.root, then=copies)
    bucket = "replace(edit_bucket, 'unknown', 'n/a')"
    since = "WHERE day >= DATE '2005-01-01'"
    ours = reader.query(
        f"SELECT wiki_db, year(day), month(day), day(day), replace(user_type, 'anonymous', 'anon'), {bucket}, "  # noqa: S608
        f"reverts, by_bots, undone_again FROM '{tmp_path}/bot_reverts.parquet' {since}"
    ).fetchall()
    assert sorted(ours) == sorted(reader.query(notebook_query(reader.connection, "bot_reverts")).fetchall())
    ours = reader.query(
        f"SELECT wiki_db, user_type, {bucket}, bot, undone_again, by_base_editor, year(day), month(day), day(day) "  # noqa: S608
        f"FROM '{tmp_path}/undone_bot_reverts.parquet' {since}"
    ).fetchall()
    assert sorted(ours) == sorted(
        reader.query(notebook_query(reader.connection, "reverted_bot_reverts")).fetchall()
    )
    if "UPDATE_README" in os.environ:
        nbformat.write(notebook, NOTEBOOK)
    assert outputs(nbformat.read(NOTEBOOK, as_version=4)) == outputs(notebook)
