"""Revert risk as a library: what an edit is, which features it has, and how likely it will be reverted.

No HTTP, no events, no KServe. torch is imported by `revertrisk.scoring.classifier` and `revertrisk.scoring.training`
only.
"""

from revertrisk.scoring.artifact import ArtifactError, Metadata, load_metadata, shipped
from revertrisk.scoring.features import Features, extract
from revertrisk.scoring.prediction import Classifier, NoProbabilityError, Prediction
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.wiki.user_kinds import UserKind

__all__ = [
    "ArtifactError",
    "Classifier",
    "Features",
    "Metadata",
    "NoProbabilityError",
    "Page",
    "ParentRevision",
    "Prediction",
    "Revision",
    "User",
    "UserKind",
    "extract",
    "load_metadata",
    "shipped",
]
