"""Revert risk as a library: what an edit is, which features it has, and how likely it will be reverted.

No HTTP, no events, no KServe. torch is imported by `revert_risk.classifier` and `revert_risk.training` only.
"""

from revert_risk.artifact import ArtifactError, Metadata, load_metadata, shipped
from revert_risk.features import Features, extract
from revert_risk.prediction import BadScoreError, Classifier, Prediction
from revert_risk.revision import Page, ParentRevision, Revision, User, UserKind

__all__ = [
    "ArtifactError",
    "BadScoreError",
    "Classifier",
    "Features",
    "Metadata",
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
