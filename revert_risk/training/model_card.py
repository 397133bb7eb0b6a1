"""The model card: what a person must know before acting on a score, with the figures filled in."""

from collections.abc import Mapping, Sequence

from revert_risk.artifact import Metadata
from revert_risk.feature_table import FEATURES
from revert_risk.training.evaluate import Estimate, Evaluation

_OPENING = """\
# {name}, version {version}

**A model trained on English edits says little about other languages; read the figures by data set below.**

## What it is for

It estimates how likely an edit of a Wikipedia article is to be reverted, so that people who patrol recent
changes can look at the likeliest first. The probability holds where {base_rate:.1%} of the edits are reverted;
where the share differs, the order of the scores still means something and their size does not.

It is not for judging people, and not for reverting edits by itself without thresholds that a wiki has chosen
and tested on its own edits. It was not trained on drafts, talk pages or Wikidata.

## How it works

{members} small networks (a linear part and {hidden} hidden units each) read {features} numbers about the changed
lines, the comment and the author; none of them is a word. A fact that is not known is marked as unknown.
Training hid groups of facts at random, so that a score degrades gracefully without them. The scores were
calibrated (Platt) on edits that were held out of each network, weighed to the share of reverts above.

Not used, because the training data does not give them or hardly varies in them: {unused}.

## Data

{data}
Both training sets weigh the same, and in each of them both classes do. The history of one page stands for
little: it is there because it has raw wikitext. What only it can tell (links, templates, headings, lists, the
minor flag) may add to a score, and cannot change how the rest is read.
The sets that are marked as evaluation only were not trained on and set no parameter. They were in view
while a handful of variants were compared (how much the history weighs, whether the words inside links are
read, which features are left out), so small differences on them mean nothing.
"""

_LIMITS = """\
## Limits

- Labels differ: annotators' votes on vandalism in the English sets, identity reverts elsewhere. A revert may be
  mistaken, and an edit that nobody looked at counts as good.
- Anonymous authors score higher. The split by author shows what the model adds beyond that. Temporary accounts
  did not exist when the training data was made and are treated as anonymous.
- Age and number of edits of an account are not used: the only labelled file with edit counts for many edits
  counted them years later.
- Structure counts come from delimiters in the changed lines; a broken template or table is not recognised.
- Of very large changes the first 32,768 characters of each side are read.
"""


def model_card(
    metadata: Metadata, evaluations: Mapping[str, Evaluation], descriptions: Mapping[str, str]
) -> str:
    """Write the card of a model; `descriptions` says of each data set what it is and how it was used."""
    scales = (*metadata.encoder.core, *metadata.encoder.additive)
    used = {scale.name for scale in scales}
    opening = _OPENING.format(
        name=metadata.name,
        version=metadata.version,
        base_rate=metadata.calibration.base_rate,
        members=metadata.network.members,
        hidden=metadata.network.hidden,
        features=len(scales),
        unused=", ".join(f"`{feature.name}`" for feature in FEATURES if feature.name not in used),
        data="".join(f"- `{name}`: {text}\n" for name, text in descriptions.items()),
    )
    return "\n".join([opening, _figures(evaluations), _calibration_tables(evaluations), _LIMITS])


def figures_table(evaluations: Mapping[str, Evaluation]) -> str:
    """Return the figures of several data sets as a Markdown table, intervals at 95 %."""
    rows = [
        (
            name,
            f"{each.n} / {each.positives}",
            _interval(each.auc),
            _interval(each.anonymous_flag_auc),
            _interval(each.auc_over_anonymous_flag),
            f"{_interval(each.anonymous.auc)} ({each.anonymous.n} / {each.anonymous.positives})",
            f"{_interval(each.registered.auc)} ({each.registered.n} / {each.registered.positives})",
            _interval(each.average_precision),
        )
        for name, each in evaluations.items()
    ]
    return _table(
        (
            "data set",
            "edits / positive",
            "AUC",
            "AUC of the anonymous flag",
            "difference",
            "AUC, anonymous authors",
            "AUC, registered authors",
            "average precision",
        ),
        rows,
    )


def _figures(evaluations: Mapping[str, Evaluation]) -> str:
    return (
        "## Figures\n\nWith 95 % bootstrap intervals over edits, and (edits / positive) for groups. Average "
        f"precision depends on the sample's share of positives.\n\n{figures_table(evaluations)}"
    )


def _calibration_tables(evaluations: Mapping[str, Evaluation]) -> str:
    parts = ["## Calibration\n"]
    for name, each in evaluations.items():
        weighed = "" if each.base_rate is None else f", weighed to {each.base_rate:.1%} positive"
        parts.append(
            f"`{name}`{weighed}: Brier score {each.brier:.4f}, expected calibration error "
            f"{each.calibration_error:.4f}.\n"
        )
        parts.append(
            _table(
                ("edits", "mean probability", "observed share"),
                [(str(b.n), f"{b.mean_probability:.3f}", f"{b.observed:.3f}") for b in each.calibration],
            )
        )
    return "\n".join(parts)


def _interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not defined"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
