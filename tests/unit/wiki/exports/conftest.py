"""The export that the mock's tests read too."""

from tests.unit.mock_mediawiki.conftest import export, export_text, wikis

__all__ = ["export", "export_text", "wikis"]
