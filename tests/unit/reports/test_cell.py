import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from revertrisk.reports.cell import Ends, cause_share, reverter_figures, score_quality
from revertrisk.reports.figures import DEFINITIONS, MIN_EDITS
from revertrisk.reports.intervals import MIN_PAGES
from revertrisk.reports.watched import NOT_ACTING, PEOPLE, Cause
from revertrisk.scoring.training import figures as over_edits
from revertrisk.scoring.training.evaluate import area_under_curve

HORIZON = 48 * 3600.0


def matured(number: int = 4_000, a_page: int = 1, seed: int = 5) -> Ends:
    """Return edits that are all watched beyond the horizon."""
    chance = np.random.default_rng(seed)
    probability = np.round(chance.random(number), 3)
    is_reverted = chance.random(number) < probability * 0.4
    cause = np.where(is_reverted, chance.integers(1, 4, number), Cause.OPEN).astype(np.int8)
    seconds = np.where(is_reverted, chance.uniform(0, HORIZON, number), 3 * HORIZON)
    return Ends(np.arange(number) // a_page, probability, np.full(number, 3 * HORIZON), seconds, cause)


def test_figures_of_old_edits_are_those_of_the_labels() -> None:
    """Where all edits are old enough, the figures are those of the functions of `evaluate`."""
    ends = matured()
    labels, ones = ends.cause != Cause.OPEN, np.ones((1, len(ends)))
    for at in reverter_figures(ends, HORIZON, (0.5, 0.87)).thresholds:
        for figure, function in (
            (at.share_reverted_flagged, over_edits.precision),
            (at.recall, over_edits.recall),
            (at.flagged_not_reverted, over_edits.false_positive_rate),
        ):
            assert figure.value == pytest.approx(
                function(ends.probability, labels, at.threshold)(ones)[0], abs=1e-12
            )
    assert score_quality(ends, HORIZON).auc.value == pytest.approx(
        area_under_curve(ends.probability, labels), abs=1e-12
    )


def test_the_interval_at_one_edit_a_page_is_wilsons() -> None:
    """Wilson's interval is the oracle where no two edits share a page."""
    ends = matured()
    figure = reverter_figures(ends, HORIZON, ()).share_reverted
    wanted = proportion_confint(figure.reverted, figure.n, method="wilson")
    assert (figure.low, figure.high) == pytest.approx(wanted, rel=1e-3)


def test_equal_pages_widen_the_interval() -> None:
    """Each edit ten times on its page: the interval is that of the pages, and not of ten times as many edits."""
    ends = matured()
    tenfold = Ends(
        *(np.repeat(each, 10) for each in (ends.page, ends.probability, ends.age, ends.seconds, ends.cause))
    )
    for horizon_figures in (
        lambda each: reverter_figures(each, HORIZON, (0.5,)).share_reverted,
        lambda each: reverter_figures(each, HORIZON, (0.5,)).thresholds[0].share_reverted_flagged,
        lambda each: reverter_figures(each, HORIZON, (0.5,)).thresholds[0].recall,
        lambda each: reverter_figures(each, HORIZON, (0.5,)).thresholds[0].flagged_not_reverted,
        lambda each: score_quality(each, HORIZON).auc,
        lambda each: score_quality(each, HORIZON).calibration_gap,
    ):
        one, ten = horizon_figures(ends), horizon_figures(tenfold)
        assert (ten.value, ten.low, ten.high) == pytest.approx((one.value, one.low, one.high), abs=1e-9)
        assert ten.measure in DEFINITIONS


@pytest.mark.parametrize("reverted", [0, MIN_EDITS - 1, 200 - MIN_EDITS + 1, 200])
def test_a_small_cell_shows_no_figure(reverted: int) -> None:
    """Below 30 reverted or 30 other edits there is no figure, and the n is said."""
    cause = np.where(np.arange(200) < reverted, Cause.REVERTED_BY_BOT, Cause.OPEN).astype(np.int8)
    seconds = np.where(cause == Cause.OPEN, 3 * HORIZON, 60.0)
    ends = Ends(np.arange(200), np.linspace(0, 1, 200), np.full(200, 3 * HORIZON), seconds, cause)
    found = reverter_figures(ends, HORIZON, (0.5,))
    ranked = score_quality(ends, HORIZON)
    (at,) = found.thresholds
    listed = [found.share_reverted, at.share_reverted_flagged, at.recall, at.flagged_not_reverted]
    listed += [
        ranked.auc,
        ranked.calibration_gap,
        cause_share(ends, HORIZON, "share_deleted", [Cause.DELETED]),
    ]
    for figure in listed:
        assert (figure.value, figure.low, figure.high) == (None, None, None)
        assert f"too few (n = 200, {reverted} reverted" in (figure.note or "")


def test_a_horizon_that_no_edit_has_reached_is_refused() -> None:
    """The record must hold 30 edits that are as old as the horizon."""
    figure = reverter_figures(matured(), 4 * HORIZON, ()).share_reverted
    assert (figure.value, figure.note) == (
        None,
        "too young: 0 edits are as old as the horizon, 30 are needed",
    )


def test_no_figure_where_only_reverted_edits_are_old_enough() -> None:
    """What the younger edits will do is not known: 100 % would be a guess, and so would an AUC."""
    cause = np.repeat(np.array([PEOPLE[0], Cause.OPEN], dtype=np.int8), 30)
    seconds = np.repeat([10 * 3600.0, 3600.0], 30)
    age = np.repeat([3 * HORIZON, 3600.0], 30)
    young = Ends(np.arange(60), np.linspace(0, 1, 60), age, seconds, cause)
    figures = reverter_figures(young, HORIZON, (0.5,))
    shown = (figures.share_reverted, figures.thresholds[0].recall, score_quality(young, HORIZON).auc)
    note = "too young: 0 edits are known not to be reverted within the horizon, 30 are needed"
    assert {(figure.value, figure.note) for figure in shown} == {(None, note)}


def test_few_pages_have_no_interval() -> None:
    """Between too few pages the variation cannot be seen: the figure says so."""
    ends = matured(4_000, 4_000 // (MIN_PAGES - 1) + 1)
    figure = reverter_figures(ends, HORIZON, ()).share_reverted
    assert figure.value is not None
    assert (figure.low, figure.high, figure.note) == (
        None,
        None,
        "no interval: 19.0 effective pages, 20 are needed",
    )


def test_shares_by_reverter_add_up() -> None:
    """Reverts by people, by bots, and by accounts that act on the score make the whole share reverted."""
    ends = matured()
    parts = [
        cause_share(ends, HORIZON, "share_reverted", [cause]).value or 0.0
        for cause in (Cause.REVERTED_BY_PERSON, Cause.REVERTED_BY_BOT, Cause.REVERTED_BY_ACTING)
    ]
    values = [
        reverter_figures(ends, HORIZON, (), causes).share_reverted.value for causes in (PEOPLE, NOT_ACTING)
    ]
    whole = reverter_figures(ends, HORIZON, ()).share_reverted.value
    assert [*values, whole] == pytest.approx([parts[0], parts[0] + parts[1], sum(parts)], abs=1e-12)


def test_calibration_groups_hold_what_a_figure_needs() -> None:
    """Tenths with too few reverts are taken together, and no edit is left out."""
    bins = score_quality(matured(1_000), HORIZON).calibration
    assert 2 < len(bins) <= 10
    assert all(each.share_reverted.value is not None for each in bins)
    assert sum(each.share_reverted.n for each in bins) == 1_000
    assert [each.mean_probability for each in bins] == sorted(each.mean_probability for each in bins)
