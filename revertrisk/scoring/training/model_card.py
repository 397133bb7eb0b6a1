"""Writes the model card: what a user of the scores needs to know, with all figures."""

from collections.abc import Iterator, Mapping, Sequence

from revertrisk.scoring.artifact import Metadata
from revertrisk.scoring.feature_table import FEATURES
from revertrisk.scoring.training.account_age import BOUND
from revertrisk.scoring.training.ensemble import FOLDS, SOFT_MEMBERS, SOFT_SHARE
from revertrisk.scoring.training.evaluate import Evaluation
from revertrisk.scoring.training.figures import Estimate
from revertrisk.scoring.training.first_generation import FIGURES_OF_2015, VERSION, EarlierFigures
from revertrisk.scoring.training.sources import SOFT, WITH_AGES

_OPENING = """\
# {name}, version {version}

**A model trained on English edits says little about other languages; read the figures by data set below.**

## What it is for

It estimates the probability that an edit of a Wikipedia article will be reverted. People who patrol recent changes
can look at the most probable reverts first. The probability is calibrated for wikis on which
{base_rate:.1%} of the edits are reverted. For another share, only the order of the scores is meaningful, and not their
size.

It is not for judging people. It is not for reverting edits automatically, unless a wiki has chosen thresholds and
tested them on its own edits. It was not trained on drafts, talk pages or Wikidata. {wikis}

## How it works

{members} small networks, each with a linear part and {hidden} hidden units, read {features} features of the changed
lines, the comment and the author; {words} An unknown feature is marked as unknown.
Training hid groups of features at random, so that the model also works without them. {labelled} of the networks learn
from labelled edits and give {labelled_share:.0%} of the logit. The other {students}, called students, learn the mean
prediction of 32 ORES models of 19 wikis for {soft} (soft labels). They use no label and no word of those edits.
The scores were calibrated (Platt scaling) on edits of 2009 that were held out from the labelled networks, weighted to
the share of reverts above. A threshold is the lowest one that keeps its false positive rate on those edits and also on
the edits of 2015 that were held out in the same way.

The age of an account is a separate term, fitted last. It is combined with no other feature, and it changes the logit by
at most {bound:g}, up or down. An unknown age counts as the average age. Anonymous authors have no age.

Not used, because the training data does not have them or they hardly vary in it: {unused}.

## Data

{data}
The weights of the files in the training of a labelled network are: the English edits of 2009 40 %, those of 2015 30 %,
the history of one page 30 %. In each file both classes have the same weight. Features that only the history and the
teachers' edits have (links, templates, headings, lists, the minor flag) add a term of their own to the logit of a
labelled network, and are combined with no other feature there. The teachers' edits are the articles of `{soft_file}`.
An export does not have the rights of authors. So rights were drawn at random, and both the teachers and the networks
read them.

## Data that was seen when choices were made

- The sets that are marked as evaluation only were not used for training, and no parameter was fitted to them. They were
  seen, with the held-out English edits of seeds 0 and 1, when the share of the student networks was chosen among 0, 10,
  20, 30, 40, 50, 60 and 100 %, and when a network that learns from labels and teachers at once was tried and not used.
  So small differences on these sets mean nothing.
- The bound on the age was chosen among 0, 0.5, 0.75, 1, 1.25, 1.5, 2 and none, on the fifth of the 2015 edits that seed
  0 held out at that time. The figures by age were seen, and also the share of good edits of registered authors, in the
  English edits of 2009 and in both evaluation sets, that would be flagged if their accounts were new.
- How words are read was chosen for version 1. The held-out English edits of seeds 0 and 2 were seen.
- The parts of four sets that are kept back were never read.

"""

_FIGURES = """\
## Figures

Intervals are 95 % bootstrap intervals over edits. *Difference* is the AUC minus that of the anonymous flag, on the
same resamples. Average precision depends on the share of positives in the sample.
"""
_NO_WORDS = "none of them is a word."
_WORDS = """none of them is a word. In addition,
{ngrams:,} character n-grams of inserted words, removed words and the comment have a weight each, which was learnt from
the English edits. An n-gram that those edits did not have adds nothing. So in a script other than Latin the score
depends on the features alone, and in a language other than English mostly on the features."""

_LIMITS = """\
## Limits

- Labels differ: in the English sets they are votes of annotators on vandalism, elsewhere reverts. A revert may be a
  mistake, and an edit that no one checked counts as good.
- `revert_multilingual_dev` has only 37 reverts, so its intervals are wide. About 250 new reverts would be needed to
  say whether this model is better than version 1 or the anonymous flag outside of English.
- Anonymous authors score higher. The tables by author show what the model adds to that. Temporary accounts
  did not exist when the training data was made. They are treated as anonymous, whatever their age.
- Edit counts are not used: no file with enough edits has them as of the edit. The tags of mobile and visual edits are
  not used either, nor the parent's author and time: the histories of a few pages are not enough to learn from.
- A direct call has no age, no rights and no edit count; an event has them. So the same edit may score differently.
- Structure is counted by delimiters in the changed lines. A broken template or table is not recognised.
- Of a very large change, the first 32,768 characters of each side are read.
"""
_PRODUCTION = """
## Beside production

The figures of production's own models are of 10,000 other edits of 47 wikis, of which only score, label and anonymous
flag are known (`revertrisk_official_scores_10k.csv.gz`): AUC 0.865 for the language-agnostic model and 0.879 for the
multilingual one; 0.780 and 0.783 among registered authors; 0.767 for the anonymous flag alone. These models were
trained on millions of edits of those wikis. No figure above is of the same edits.

"""
_WORD_LIMITS = """\
- The words were learnt from English vandalism of 2009. A quotation or a title with a rude word scores higher.
- N-grams are taken from the first 4,096 characters of the inserted words, the removed words and the comment.
"""


def model_card(
    metadata: Metadata, evaluations: Mapping[str, Evaluation], descriptions: Mapping[str, str]
) -> str:
    """Return the card of a model. `descriptions` has the description and the use of each data set, by its name."""
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
        labelled=FOLDS,
        labelled_share=1 - SOFT_SHARE,
        students=SOFT_MEMBERS,
        soft="edits of raw wikitext",
        soft_file=SOFT,
        bound=BOUND,
        words=_NO_WORDS if ngrams is None else _WORDS.format(ngrams=ngrams),
        wikis="It answers for every wiki." if wikis is None else f"It answers for {len(wikis)} wikis.",
        unused=", ".join(f"`{feature.name}`" for feature in FEATURES if feature.name not in used),
        data="".join(f"- `{name}`: {text}\n" for name, text in descriptions.items()),
    )
    limits = _LIMITS if ngrams is None else _LIMITS + _WORD_LIMITS
    figures = figures_report(evaluations, metadata.metrics.get("auc_by_split", {}))
    with_ages, earlier = evaluations.get(f"{WITH_AGES} (held out)"), FIGURES_OF_2015.get(metadata.name)
    by_age = "" if with_ages is None or earlier is None else _by_age(with_ages, earlier)
    return opening + figures + by_age + _PRODUCTION + limits


def _by_age(with_ages: Evaluation, earlier: Mapping[str, EarlierFigures]) -> str:
    """Return the section with the figures for accounts of each age, beside those of the first generation."""
    baseline = with_ages.baselines["age_and_flag"]
    rows = [
        (
            name,
            f"{group.n} / {group.positives}",
            _interval(group.auc),
            before.auc,
            *(
                f"{_interval(group.fpr[limit])}; {was:.3f}"
                for limit, was in zip(("fpr_0.01", "fpr_0.05", "fpr_0.15"), before.flagged, strict=True)
            ),
        )
        for name, before in earlier.items()
        if (group := with_ages.groups.get(name)) is not None
    ]
    header = ("authors", "edits / reverted", "AUC within", f"AUC within, {VERSION}")
    return (
        f"\n## By the age of the account\n\n"
        f"The edits are the English edits of 2015, each scored by a model that was not trained on it. "
        f"*Flagged* is the share of the edits that were *not reverted* and score above the threshold for 1, 5 and "
        f"15 %: first for this model, then for {VERSION}, each at its own thresholds. "
        f"The anonymous flag alone flags every anonymous author and no registered one. "
        f"The AUC of all edits is {_interval(with_ages.auc)}. "
        f"The AUC of the anonymous flag and the age alone, refitted on the same parts, is {_interval(baseline.auc)}. "
        f"The difference is {_interval(baseline.auc_difference)}.\n\n"
        + _table((*header, "flagged at 1 %", "at 5 %", "at 15 %"), rows)
    )


def figures_report(evaluations: Mapping[str, Evaluation], auc_by_split: Mapping[str, float]) -> str:
    """Return all figures of several data sets as Markdown."""
    parts = [
        _FIGURES,
        figures_table(evaluations),
    ]
    if auc_by_split:
        values = list(auc_by_split.values())
        parts.append(
            "AUC on the held-out English edits, for divisions with other seeds: "
            + ", ".join(f"{value:.3f} (seed {seed})" for seed, value in auc_by_split.items())
            + f"; mean {sum(values) / len(values):.3f}. This artefact is that of the first seed.\n"
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
    yield (
        "The other models were trained on the same English edits of 2009; `age_and_flag` was trained on the edits of "
        "2015 that the model was trained on. *Difference* is the AUC of this model minus that of the other.\n"
    )
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
    yield "False positive rates are at the threshold for 5 %. Groups overlap.\n"
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
    yield "Precision is weighted like the calibration below.\n"
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
        weighted = "" if each.base_rate is None else f", weighted to {each.base_rate:.1%} positive"
        yield (
            f"`{name}`{weighted}: Brier score {_interval(each.brier)}, expected calibration error "
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
