"""A sheet is drawn, filled in by a script, and read."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from revertrisk.reports.document import as_text
from revertrisk.reports.figures import MIN_EDITS
from revertrisk.reports.lake_edits import ModelVersion, Scored, WikiRecord
from revertrisk.reports.review import ReviewError, read_sheet, review
from revertrisk.reports.review_document import review_document, review_json
from revertrisk.reports.review_draw import BANDS, draw, key_of, write_sheet
from revertrisk.reports.watched import USER_KINDS, Cause, Watched

HORIZON = 48 * 3600.0
NUMBER = 20_000


@pytest.fixture(scope="module")
def scored() -> Scored:
    """Edits of all scores, of which some are reverted: the higher the score, the more."""
    chance = np.random.default_rng(4)
    probability = chance.beta(0.5, 2.0, NUMBER)
    is_reverted = chance.random(NUMBER) < 0.6 * probability
    never = np.full(NUMBER, np.inf)
    watched = Watched(
        wikis=("enwiki",),
        wiki=np.zeros(NUMBER, dtype=np.int16),
        page=np.arange(NUMBER) // 2,
        rev_id=np.arange(NUMBER) + 1_000,
        day=np.zeros(NUMBER, dtype=np.int32),
        probability=probability,
        kind=chance.choice(len(USER_KINDS), NUMBER).astype(np.int8),
        age=np.full(NUMBER, 3 * HORIZON),
        revert_after=np.where(is_reverted, 60.0, np.inf),
        undone_after=never,
        deleted_after=never,
        reverter=np.full(NUMBER, Cause.REVERTED_BY_PERSON, dtype=np.int8),
        is_null_edit=np.zeros(NUMBER, dtype=np.bool_),
        is_skipped_by_automoderator=np.zeros(NUMBER, dtype=np.bool_),
    )
    return Scored(
        ModelVersion("revertrisk-multilingual", "3", (WikiRecord("enwiki", 0.0, 1.0),)),
        watched,
        np.zeros(1, np.int64),
    )


def damaging(scored: Scored) -> np.ndarray:
    """Return which edits are damaging, in truth: more of those that score high, whatever was reverted."""
    return np.random.default_rng(9).random(NUMBER) < scored.watched.probability


def fill(path: Path, judgements: dict[int, str]) -> None:
    """Fill in a sheet as a person would."""
    rows = list(csv.DictReader(path.read_text().splitlines()))
    for row in rows:
        row["judgement"] = judgements.get(int(row["item"]), "")
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_a_sheet_comes_back_as_it_was_filled_in(scored: Scored, tmp_path: Path) -> None:
    """Where all edits are judged, the share judged damaging is that of damaging edits, to the last digit."""
    part = Scored(scored.model, scored.watched.part(np.arange(NUMBER) < 3_000), scored.unrecorded)
    drawn = draw(part, 10_000, np.random.default_rng(1))
    assert len(drawn.items) == 3_000
    sheet, page, _ = write_sheet(tmp_path / "sheet.csv", drawn)
    truth = dict(zip(scored.watched.rev_id.tolist(), damaging(scored).tolist(), strict=True))
    fill(sheet, {each.item: "damaging" if truth[each.rev_id] else "Good " for each in drawn.items})
    key, judgements = read_sheet(sheet)
    assert key == drawn
    found = review(key, judgements, part.watched, HORIZON)
    assert found.judgements == {
        "damaging": sum(truth[each.rev_id] for each in drawn.items),
        "good": sum(not truth[each.rev_id] for each in drawn.items),
        "unsure": 0,
        "not judged": 0,
    }
    for at in found.thresholds:
        above = [truth[each.rev_id] for each in drawn.items if each.probability > at.threshold]
        wanted = pytest.approx(np.mean(above), abs=1e-12) if len(above) >= MIN_EDITS else None
        assert at.precision_by_people.value == wanted
        assert at.precision_by_people.n == at.share_reverted.n == len(above)
    fates = found.outcomes
    assert (
        fates["damaging, reverted"] + fates["good, reverted"] == found.thresholds[0].share_reverted.reverted
    )
    text = as_text(review_document(found))
    assert "judged damaging" in text
    assert json.dumps(review_json(found))
    assert page.read_text().count("https://en.wikipedia.org/w/index.php?diff=") == 2 * 3_000


def test_a_sample_stands_for_all_edits(scored: Scored) -> None:
    """Over 60 sheets of 300 edits the weighted shares are right on average, and most intervals hold the truth."""
    truth = damaging(scored)
    by_id = dict(zip(scored.watched.rev_id.tolist(), truth.tolist(), strict=True))
    chance = np.random.default_rng(2)
    errors, held = [], []
    for _ in range(60):
        drawn = draw(scored, 300, chance)
        judgements = {
            each.item: "damaging" if by_id[each.rev_id] else "good"
            for each in drawn.items
            if chance.random() < 0.9  # some are not judged
        }
        for at in review(drawn, judgements, scored.watched, HORIZON, (0.0, 0.5)).thresholds:
            wanted = truth[scored.watched.probability > at.threshold].mean()
            figure = at.precision_by_people
            assert figure.value is not None
            errors.append(figure.value - wanted)
            held.append((figure.low or 0) <= wanted <= (figure.high or 0))
    assert abs(np.mean(errors)) < 0.01
    assert np.mean(held) > 0.88


def test_the_sheet_shows_no_score(scored: Scored, tmp_path: Path) -> None:
    """All bands and kinds are drawn, in an order that does not show them; the sheet and the page have links only."""
    drawn = draw(scored, 120, np.random.default_rng(3))
    bands = [drawn.strata[each.stratum].band for each in drawn.items]
    kinds = [drawn.strata[each.stratum].kind for each in drawn.items]
    assert set(bands) == set(range(len(BANDS) - 1))
    assert set(kinds) == {"bot", "ip", "registered", "temporary", "unknown"}
    assert abs(np.corrcoef(np.arange(120), bands)[0, 1]) < 0.3
    sheet, page, key = write_sheet(tmp_path / "sheet.csv", drawn)
    rows = list(csv.reader(sheet.read_text().splitlines()))
    assert rows[0] == ["item", "diff", "judgement", "note"]
    assert all(row[2:] == ["", ""] for row in rows[1:])
    for each in drawn.items:
        for text in (sheet.read_text(), page.read_text()):
            assert str(each.probability)[:8] not in text
    assert key == key_of(sheet)
    assert "<script" not in page.read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "a,b\n",
            "expected the columns item, diff, judgement, note, separated by commas, semicolons or tabs",
        ),
        ("", "expected the columns item, diff, judgement, note"),
        (
            "item,diff,judgement,note\n1,x,bad,\n",
            "line 2: expected damaging, good, unsure or an empty cell, not 'bad'",
        ),
        ("item,diff,judgement,note\n77,x,good,\n", "line 2: '77' is not an item of this sheet"),
        (None, "the key of the sheet cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(scored: Scored, tmp_path: Path, content: str | None, words: str) -> None:
    """A sheet that was not written by us, a word that is no judgement, a missing key: one sentence each."""
    sheet, _, key = write_sheet(tmp_path / "sheet.csv", draw(scored, 5, np.random.default_rng(3)))
    if content is None:
        key.unlink()
    else:
        sheet.write_text(content)
    with pytest.raises(ReviewError, match=words):
        read_sheet(sheet)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_sheet_that_a_spreadsheet_has_saved(scored: Scored, tmp_path: Path, separator: str) -> None:
    """Semicolons or tabs, a byte order mark, quotes and empty lines at the end, as spreadsheets write them."""
    sheet, _, _ = write_sheet(tmp_path / "sheet.csv", draw(scored, 5, np.random.default_rng(3)))
    rows = list(csv.reader(sheet.read_text().splitlines()))
    with sheet.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out, delimiter=separator)
        writer.writerow(rows[0])
        writer.writerows([*row[:2], "Good", "a, b; c"] for row in rows[1:])
        writer.writerow([""] * 4)
    assert read_sheet(sheet)[1] == dict.fromkeys(range(1, 6), "good")


def test_another_encoding_is_said(scored: Scored, tmp_path: Path) -> None:
    """Excel writes Windows-1252 unless it is told otherwise."""
    sheet, _, _ = write_sheet(tmp_path / "sheet.csv", draw(scored, 5, np.random.default_rng(3)))
    sheet.write_bytes(sheet.read_bytes() + "1;x;good;f\xfcr\n".encode("cp1252"))
    with pytest.raises(ReviewError, match="expected text in UTF-8; in Excel, save it as CSV UTF-8"):
        read_sheet(sheet)


def test_a_key_of_something_else_is_refused(scored: Scored, tmp_path: Path) -> None:
    """Another JSON file in the key's place."""
    sheet, _, key = write_sheet(tmp_path / "sheet.csv", draw(scored, 5, np.random.default_rng(3)))
    key.write_text('{"format": "revertrisk-review-key/1"}')
    with pytest.raises(ReviewError, match="expected the key that was written with the sheet"):
        read_sheet(sheet)
