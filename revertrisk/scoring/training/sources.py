"""The files that `revertrisk train` reads, and their use."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from revertrisk.scoring.training import teachers
from revertrisk.scoring.training.examples import Dataset, TrainingError
from revertrisk.scoring.training.history import read_history
from revertrisk.scoring.training.labelled_edits import (
    read_editquality,
    read_multilingual_reverts,
    read_normalised_vandalism,
    read_raw_vandalism,
)
from revertrisk.scoring.training.soft_labels import SoftDataset, read_soft_labels

MAIN = "vandalism_en_2009"
WITH_AGES = "editquality_enwiki_2015_features"
HISTORY = "anarchism_enwiki_history"
SOFT = "enwiki_p1043_history"
NATURAL = "vandalism_en_natural_rate"
MULTILINGUAL = "revert_multilingual_dev"
TEACHERS = "ores_editquality"

_EXPORT = "anarchism_enwiki_fullhistory_2001-2010.xml.lzma"

DESCRIPTIONS = {
    f"{MAIN} (held out)": "English edits of 2009, half of them vandalism by the vote of annotators, without markup. "
    "80 % were used for training; the figures are for the rest, which has no page and no author in common with them.",
    f"{WITH_AGES} (held out)": "English edits of 2015 at the natural rate, labelled by reverts within 48 hours. They "
    "have words inserted and removed, the longest run, the kind of author and the age of the account, and no text. "
    "Each fifth was scored by a model that was trained without it; the artefact is the model without the first fifth.",
    f"{HISTORY} (held out)": "the edits of one disputed English page, 2001 to 2010, labelled by identity revert. "
    "The first 80 % were used for training; the figures are for the last 20 %, with the same page and some of the same "
    "authors.",
    NATURAL: "English edits of 2010 near the natural rate. Evaluation only.",
    MULTILINGUAL: "edits of 45 wikis in July 2022, labelled by identity revert. Evaluation only.",
}
"""The description of each set and its use, by its name in a model card."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sources:
    """The data sets of a training run."""

    main: Dataset
    """Edits of both classes in about equal shares, with words."""
    with_ages: Dataset
    """Edits at the natural rate of reverts, with the ages of accounts."""
    history: Dataset
    """The edits of one page, in their order."""
    soft: SoftDataset
    """Edits with the soft labels of the teachers."""
    evaluation_only: tuple[Dataset, ...]
    teachers: dict[str, str]
    """The SHA-256 of the teachers' files, by name."""

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file that is used for training, by name."""
        sets = (self.main, self.with_ages, self.history, self.soft)
        return {each.file_name: each.sha256 for each in sets} | self.teachers


def read_sources(data_dir: Path, progress: Progress) -> Sources:
    """Read all files: the labelled edits in `data_dir`, and the teachers in the folder ``models`` beside it.

    Raises:
        TrainingError: with the files that are missing or cannot be used.

    """
    files = {name: data_dir / f"{name}.jsonl.gz" for name in (MAIN, NATURAL, MULTILINGUAL, HISTORY)}
    files |= {WITH_AGES: data_dir / f"{WITH_AGES}.tsv.bz2", SOFT: data_dir / f"{SOFT}.xml.xz"}
    files |= {_EXPORT: data_dir / _EXPORT}
    folder = data_dir.resolve().parent / "models" / TEACHERS
    models = [folder / name for name in (teachers.MODELS, teachers.TREES)]
    missing = [path.name for path in files.values() if not path.is_file()]
    missing += [f"../models/{TEACHERS}/{path.name}" for path in models if not path.is_file()]
    if missing:
        raise TrainingError(f"data folder: missing {', '.join(missing)}")
    progress(f"reading {files[MAIN].name}")
    main = read_normalised_vandalism(files[MAIN])
    progress(f"reading {files[WITH_AGES].name}")
    with_ages = read_editquality(files[WITH_AGES])
    progress(f"reading {_EXPORT}")
    history = read_history(files[_EXPORT], files[HISTORY], wiki_id="enwiki", language="en")
    progress(f"reading {files[SOFT].name}, and scoring it with the teachers")
    soft = read_soft_labels(files[SOFT], teachers.load_teachers(folder), wiki_id="enwiki", language="en")
    progress("reading the files for evaluation only")
    evaluation_only = (read_raw_vandalism(files[NATURAL]), read_multilingual_reverts(files[MULTILINGUAL]))
    return Sources(main, with_ages, history, soft, evaluation_only, teachers.digests(folder))
