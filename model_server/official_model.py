"""Official artefacts at the start: under which conditions a pickle is loaded, each named where it is missing."""

from pathlib import Path

from model_server.settings import Settings, SettingsError
from revertrisk.scoring import official
from revertrisk.scoring.official import OfficialClassifier, OfficialModelError
from revertrisk.wiki.table import WikiTable


def check_pickle(settings: Settings, path: Path) -> None:
    """See that the model at a path may be loaded, if it is a pickle (DESIGN 15).

    Raises :class:`SettingsError` naming the condition that is not met.
    """
    file = official.pickle_at(path)
    if file is None:
        return
    if not settings.allow_pickle:
        raise SettingsError(f"ALLOW_PICKLE: {file} runs code when it is loaded: true allows that")
    if settings.model_sha256 is None:
        raise SettingsError(f"MODEL_SHA256: expected the digest of {file}, which is not loaded without one")
    if official.sha256_of(file) != settings.model_sha256:
        raise SettingsError(f"MODEL_SHA256: is not the digest of {file}")
    if settings.model_name not in official.MODULES:
        raise SettingsError(f"MODEL_NAME: expected one of {', '.join(official.MODULES)} for {file}")
    if settings.device == "cuda":
        raise SettingsError(f"DEVICE: {file} is served on the CPU")
    if not official.is_installed():
        raise SettingsError(
            f"MODEL_PATH: {file} needs the package {official.PACKAGE}, which is not installed"
        )


def load_pickle(settings: Settings, file: Path) -> OfficialClassifier:
    """Load a pickle that was checked; raises :class:`SettingsError`."""
    wikis = WikiTable.load(settings.wikis_file)

    def language_of(wiki_id: str) -> str | None:
        wiki = wikis.by_id(wiki_id)
        return None if wiki is None else wiki.language

    try:
        return OfficialClassifier.load(settings.model_name, file, language_of)
    except OfficialModelError as exc:
        raise SettingsError(f"MODEL_PATH: {file}: {exc}") from exc
