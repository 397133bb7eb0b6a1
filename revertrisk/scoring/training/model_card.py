"""The model card: what a person must know before acting on a score, with the figures filled in."""

from collections.abc import Iterator, Mapping, Sequence

from revertrisk.scoring.artifact import Metadata
from revertrisk.scoring.feature_table import FEATURES
from revertrisk.scoring.training.account_age import BOUND
from revertrisk.scoring.training.ensemble import FOLDS, SOFT_MEMBERS, SOFT_SHARE
from revertrisk.scoring.training.evaluate import Evaluation
from revertrisk.scoring.training.figures import Estimate
from revertrisk.scoring.training.first_generation import RATED_THEN, VERSION, GroupThen
from revertrisk.scoring.training.sources import RATED, SOFT

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
Training hid groups of facts at random, so that a score degrades gracefully without them. {labelled} of the networks
learn from labelled edits and give {labelled_share:.0%} of the logit. The other {taught} learn what 32 models of ORES,
made for 19 wikis, think of {soft} on average (soft labels; no label of those edits is used, and no word).
The scores were calibrated (Platt) on edits of 2009 that were held out of the labelled networks, weighed to the share of
reverts above. A threshold is the lowest that keeps its rate of false positives on those edits and on the edits of 2015
that were held out likewise.

The age of an account comes last, as a term of its own: it is combined with nothing, and whatever the age is, it moves
the logit by at most {bound:g}, up or down. An unknown age counts as an average one. Anonymous authors have none.

Not used, because the training data does not give them or hardly varies in them: {unused}.

## Data

{data}
What the files weigh in a labelled network: the English edits of 2009 40 %, those of 2015 30 %, the history of one page
30 %; in each of them both classes weigh the same. What only the history and the teachers' edits can tell (links,
templates, headings, lists, the minor flag) may add to the score of a labelled network, and cannot change how the rest
is read there. The teachers' edits are the articles of `{soft_file}`. An export does not say which rights an author had:
they were drawn at random, and both the teachers and the networks were told them.

## What was in view when it was chosen

- The sets that are marked as evaluation only were not trained on and set no parameter. They were in view, with the
  held-out English edits of seeds 0 and 1, when the share of the taught networks was chosen among 0, 10, 20, 30, 40,
  50, 60 and 100 %, and when a network that learns from labels and teachers at once was tried and left. So small
  differences on them mean nothing.
- The bound on the age was chosen among 0, 0.5, 0.75, 1, 1.25, 1.5, 2 and none on the fifth of the 2015 edits that seed
  0 held out then, with the figures by age in view, and with the share of good edits of registered authors in the
  English edits of 2009 and both evaluation sets that would be flagged if their accounts were new.
- How words are read was chosen for version 1, with the held-out English edits of seeds 0 and 2 in view.
- The parts of four sets that are kept back were never read here.

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

- Labels differ: annotators' votes on vandalism in the English sets, reverts elsewhere. A revert may be
  mistaken, and an edit that nobody looked at counts as good.
- `revert_multilingual_dev` has 37 reverts: see how wide its intervals are. Whether this model is better than version 1
  or the anonymous flag outside of English takes some 250 fresh ones to say.
- Anonymous authors score higher. The split by author shows what the model adds beyond that. Temporary accounts
  did not exist when the training data was made and are treated as anonymous, whatever their age.
- Edit counts are not used: no file with enough edits has them as of the edit. Nor are the tags of mobile and visual
  edits, nor the parent's author and time, which a few pages' histories cannot teach.
- A direct call knows no age, no rights and no edit count; an event does. The same edit may score differently.
- Structure counts come from delimiters in the changed lines; a broken template or table is not recognised.
- Of very large changes the first 32,768 characters of each side are read.
"""
_PRODUCTION = """
## Beside production

Production's own models, on 10,000 other edits of 47 wikis of which only score, label and anonymous flag are known
(`revertrisk_official_scores_10k.csv.gz`): AUC 0.865 for the language-agnostic one and 0.879 for the multilingual one,
0.780 and 0.783 among registered authors; the anonymous flag alone 0.767. They are trained on millions of edits of those
wikis. No figure above is of the same edits.

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
        labelled=FOLDS,
        labelled_share=1 - SOFT_SHARE,
        taught=SOFT_MEMBERS,
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
    rated, then = evaluations.get(f"{RATED} (held out)"), RATED_THEN.get(metadata.name)
    by_age = "" if rated is None or then is None else _by_age(rated, then)
    return opening + figures + by_age + _PRODUCTION + limits


def _by_age(rated: Evaluation, then: Mapping[str, GroupThen]) -> str:
    """Say what the model does to accounts of each age, beside the first generation and the flag."""
    rivals = rated.baselines["age_and_flag"]
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
        for name, before in then.items()
        if (group := rated.groups.get(name)) is not None
    ]
    header = ("authors", "edits / reverted", "AUC within", f"AUC within, {VERSION}")
    return (
        f"\n## By the age of the account\n\nThe English edits of 2015, each scored by a model that did not see it. "
        f"Flagged is the share of the edits *not reverted* above the threshold of 1, 5 and 15 %, first this model's, "
        f"then that of {VERSION}, each by its own thresholds. The anonymous flag alone flags every anonymous author "
        f"and no registered one. AUC of all {_interval(rated.auc)}; of the anonymous flag and the age alone, refitted "
        f"on the same parts, {_interval(rivals.auc)}, which is a difference of {_interval(rivals.auc_difference)}.\n\n"
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
    yield (
        "Each was trained on the same English edits of 2009, `age_and_flag` on those of 2015 that the model saw; "
        "*difference* is this model's AUC less that of the other.\n"
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
