"""The files that `revertrisk train` reads, and what each is for."""

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
RATED = "editquality_enwiki_2015_features"
HISTORY = "anarchism_enwiki_history"
SOFT = "enwiki_p1043_history"
NATURAL = "vandalism_en_natural_rate"
MULTILINGUAL = "revert_multilingual_dev"
TEACHERS = "ores_editquality"

_EXPORT = "anarchism_enwiki_fullhistory_2001-2010.xml.lzma"

DESCRIPTIONS = {
    f"{MAIN} (held out)": "English edits of 2009, half of them vandalism by annotators' vote, markup stripped. "
    "Trained on 80 %; figures are for the rest, which shares no page and no author with it.",
    f"{RATED} (held out)": "English edits of 2015 at the natural rate, labelled by reverts within 48 hours: words in "
    "and out, the longest run, who edited and the age of the account, no text. Each fifth was scored by a model that "
    "was trained without it; the artefact is the one without the first.",
    f"{HISTORY} (held out)": "the edits of one disputed English page, 2001 to 2010, labelled by identity revert. "
    "Trained on the first 80 %; figures are for the last 20 %, same page and partly the same authors.",
    NATURAL: "English edits of 2010 close to the natural rate. Evaluation only.",
    MULTILINGUAL: "edits of 45 wikis in July 2022, labelled by identity revert. Evaluation only.",
}
"""What each set is and how it was used, by its name in a model card."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sources:
    """The data sets of a training run."""

    main: Dataset
    """Both classes by construction, with words."""
    rated: Dataset
    """At the natural rate, with the ages of accounts."""
    history: Dataset
    """The edits of one page, in their order."""
    soft: SoftDataset
    """Edits that teachers scored."""
    evaluation_only: tuple[Dataset, ...]
    teachers: dict[str, str]
    """The SHA-256 of the teachers' files, by name."""

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file that something is learnt from, by name."""
        sets = (self.main, self.rated, self.history, self.soft)
        return {each.file_name: each.sha256 for each in sets} | self.teachers


def read_sources(data_dir: Path, progress: Progress) -> Sources:
    """Read all files; the teachers are looked for in ``models``, beside the folder of labelled edits.

    Raises:
        TrainingError: naming what is missing or cannot be used.

    """
    files = {name: data_dir / f"{name}.jsonl.gz" for name in (MAIN, NATURAL, MULTILINGUAL, HISTORY)}
    files |= {RATED: data_dir / f"{RATED}.tsv.bz2", SOFT: data_dir / f"{SOFT}.xml.xz"}
    files |= {_EXPORT: data_dir / _EXPORT}
    folder = data_dir.resolve().parent / "models" / TEACHERS
    models = [folder / name for name in (teachers.MODELS, teachers.TREES)]
    missing = [path.name for path in files.values() if not path.is_file()]
    missing += [f"../models/{TEACHERS}/{path.name}" for path in models if not path.is_file()]
    if missing:
        raise TrainingError(f"data folder: missing {', '.join(missing)}")
    progress(f"reading {files[MAIN].name}")
    main = read_normalised_vandalism(files[MAIN])
    progress(f"reading {files[RATED].name}")
    rated = read_editquality(files[RATED])
    progress(f"reading {_EXPORT}")
    history = read_history(files[_EXPORT], files[HISTORY], wiki_id="enwiki", language="en")
    progress(f"reading {files[SOFT].name}, which the teachers score")
    soft = read_soft_labels(files[SOFT], teachers.load_teachers(folder), wiki_id="enwiki", language="en")
    progress("reading what is for evaluation only")
    only = (read_raw_vandalism(files[NATURAL]), read_multilingual_reverts(files[MULTILINGUAL]))
    return Sources(main, rated, history, soft, only, teachers.digests(folder))
