"""The model card: what a person must know before acting on a score, with the figures filled in."""

from collections.abc import Iterator, Mapping, Sequence

from revertrisk.scoring.artifact import Metadata
from revertrisk.scoring.feature_table import FEATURES
from revertrisk.scoring.training.evaluate import Evaluation
from revertrisk.scoring.training.figures import Estimate

_OPENING = """\
# {name}, version {version}

**A model trained on English edits says little about other languages; read the figures by data set below.**

## What it is for

It estimates how likely an edit of a Wikipedia article is to be reverted, so that people who patrol recent
changes can look at the likeliest first. The probability holds where {base_rate:.1%} of the edits are reverted;
where the share differs, the order of the scores still means something and their size does not.

It is not for judging people, and not for reverting edits by itself without thresholds that a wiki has chosen
and tested on its own edits. It was not trained on drafts, talk pages or Wikidata. {wikis}

## How it works

{members} small networks (a linear part and {hidden} hidden units each) read {features} numbers about the changed
lines, the comment and the author; {words} A fact that is not known is marked as unknown.
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
read, which features are left out, the length of n-grams), so small differences on them mean nothing. How words are
read was chosen with the held-out English edits of seeds 0 and 2 in view too, so the English figures of the
model with words are a little optimistic; those of the other seeds, drawn from the same edits, less so.

"""

_FIGURES = """\
## Figures

With 95 % bootstrap intervals over edits. *Difference* is the AUC less that of the anonymous flag on the same
resamples. Average precision depends on the sample's share of positives.
"""
_NO_WORDS = "none of them is a word."
_WORDS = """none of them is a word. Beside them
{ngrams:,} character n-grams of inserted words, removed words and the comment have a weight each, learnt from the
English edits. An n-gram that those edits did not have adds nothing. So in a script other than Latin the score
comes from the numbers alone, and in another language than English mostly so."""

_LIMITS = """\
## Limits

- Labels differ: annotators' votes on vandalism in the English sets, identity reverts elsewhere. A revert may be
  mistaken, and an edit that nobody looked at counts as good.
- Outside of English no model here is shown to be better than the anonymous flag: see the interval of the
  difference on `revert_multilingual_dev`. Tried for the model with words, without a clear gain there: longer and
  shorter n-grams, a hidden layer over embedded n-grams, other weight decay.
- Anonymous authors score higher. The split by author shows what the model adds beyond that. Temporary accounts
  did not exist when the training data was made and are treated as anonymous.
- Age and number of edits of an account are not used: the only labelled file with edit counts for many edits
  counted them years later.
- Structure counts come from delimiters in the changed lines; a broken template or table is not recognised.
- Of very large changes the first 32,768 characters of each side are read.
"""
_WORD_LIMITS = """\
- Words carry the habits of English vandalism in 2009. A quotation or a title with a rude word scores higher.
- N-grams are taken from the first 4,096 characters of the inserted words, the removed words and the comment.
"""


def model_card(
    metadata: Metadata, evaluations: Mapping[str, Evaluation], descriptions: Mapping[str, str]
) -> str:
    """Write the card of a model; `descriptions` says of each data set what it is and how it was used."""
    scales = (*metadata.preprocessing.core, *metadata.preprocessing.additive)
    used = {scale.name for scale in scales}
    ngrams, wikis = metadata.known_ngrams, metadata.supported_wikis
    opening = _OPENING.format(
        name=metadata.name,
        version=metadata.version,
        base_rate=metadata.calibration.base_rate,
        members=metadata.network.members,
        hidden=metadata.network.hidden,
        features=len(scales),
        words=_NO_WORDS if ngrams is None else _WORDS.format(ngrams=ngrams),
        wikis="It answers for every wiki." if wikis is None else f"It answers for {len(wikis)} wikis.",
        unused=", ".join(f"`{feature.name}`" for feature in FEATURES if feature.name not in used),
        data="".join(f"- `{name}`: {text}\n" for name, text in descriptions.items()),
    )
    limits = _LIMITS if ngrams is None else _LIMITS + _WORD_LIMITS
    return opening + figures_report(evaluations, metadata.metrics.get("auc_by_split", {})) + limits


def figures_report(evaluations: Mapping[str, Evaluation], auc_by_split: Mapping[str, float]) -> str:
    """Return all figures of several data sets as Markdown."""
    parts = [
        _FIGURES,
        figures_table(evaluations),
    ]
    if auc_by_split:
        values = list(auc_by_split.values())
        parts.append(
            "AUC on the held-out English edits when they are divided by other seeds: "
            + ", ".join(f"{value:.3f} (seed {seed})" for seed, value in auc_by_split.items())
            + f"; mean {sum(values) / len(values):.3f}. This artefact is that of the first.\n"
        )
    if any(len(each.baselines) > 1 for each in evaluations.values()):
        parts += ["## Beside other models\n", "\n".join(_comparison(evaluations))]
    parts += ["## By author\n", "\n".join(_groups(evaluations))]
    parts += ["## At thresholds\n", "\n".join(_thresholds(evaluations))]
    parts += ["## Calibration\n", "\n".join(_calibration(evaluations))]
    return "\n".join(parts) + "\n"


def figures_table(evaluations: Mapping[str, Evaluation]) -> str:
    """Return the main figures of several data sets as a Markdown table, intervals at 95 %."""
    rows = []
    for name, each in evaluations.items():
        flag = each.baselines["anonymous_flag"]
        rows.append(
            (
                name,
                f"{each.n} / {each.positives}",
                _interval(each.auc),
                _interval(flag.auc),
                _interval(flag.auc_difference),
                _interval(each.average_precision),
            )
        )
    header = (
        "data set",
        "edits / positive",
        "AUC",
        "AUC of the anonymous flag",
        "difference",
        "average precision",
    )
    return _table(header, rows)


def _comparison(evaluations: Mapping[str, Evaluation]) -> Iterator[str]:
    yield "Each was trained on the same English edits; *difference* is this model's AUC less that of the other.\n"
    yield _table(
        ("data set", "other model", "AUC", "difference", "average precision"),
        [
            (data, name, *map(_interval, (other.auc, other.auc_difference, other.average_precision)))
            for data, each in evaluations.items()
            for name, other in each.baselines.items()
            if name != "anonymous_flag"
        ],
    )


def _groups(evaluations: Mapping[str, Evaluation]) -> Iterator[str]:
    yield "False positive rates are those at the threshold of 5 %. Groups overlap.\n"
    yield _table(
        ("data set", "authors", "edits / positive", "AUC", "false positive rate"),
        [
            (
                data,
                name,
                f"{group.n} / {group.positives}",
                _interval(group.auc),
                _interval(group.fpr.get("fpr_0.05", Estimate(None, None, None))),
            )
            for data, each in evaluations.items()
            for name, group in each.groups.items()
        ],
    )


def _thresholds(evaluations: Mapping[str, Evaluation]) -> Iterator[str]:
    yield "Precision is weighed as the calibration below.\n"
    yield _table(
        ("data set", "threshold", "precision", "recall", "false positive rate"),
        [
            (data, f"{name}: {at.threshold:.4f}", *map(_interval, (at.precision, at.recall, at.fpr)))
            for data, each in evaluations.items()
            for name, at in each.thresholds.items()
        ],
    )


def _calibration(evaluations: Mapping[str, Evaluation]) -> Iterator[str]:
    for name, each in evaluations.items():
        weighed = "" if each.base_rate is None else f", weighed to {each.base_rate:.1%} positive"
        yield (
            f"`{name}`{weighed}: Brier score {_interval(each.brier)}, expected calibration error "
            f"{_interval(each.ece)}.\n"
        )
        yield _table(
            ("edits", "mean probability", "observed share"),
            [(str(b.n), f"{b.mean_probability:.3f}", f"{b.observed:.3f}") for b in each.calibration],
        )


def _interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not defined"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
