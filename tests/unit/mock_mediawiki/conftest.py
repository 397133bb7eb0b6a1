"""A small sample file and a small export, which tell the same past of one page, and more each."""

from pathlib import Path

import pytest

from revertrisk.wiki.table import WikiTable

SAMPLE = """\
wiki_id: dewiki
users:
  Ada: {kind: registered, user_id: 7, edit_count: 900, registered: 2019-01-01T00:00:00Z, groups: [editor, bot]}
  Neu: {kind: registered, user_id: 8, edit_count: 12, registered: 2026-07-31T00:00:00Z}
  "~2026-10011-01": {kind: temporary, user_id: 9, edit_count: 1, registered: 2026-08-01T10:00:00Z, groups: [temp]}
pages:
  - page_id: 10
    title: Apfelbaum im Garten
    revisions:
      - {rev_id: 100, timestamp: 2026-08-01T10:00:00Z, user: Ada, comment: neu, text: Ein Apfelbaum., tags: [x]}
      - rev_id: 101
        timestamp: 2026-08-01T11:00:00Z
        user: 203.0.113.5
        comment: ""
        label: bad
        edit: [{find: Apfelbaum, put: Birnbaum}, {find: Ein, put: Kein}]
      - rev_id: 102
        timestamp: 2026-08-01T12:00:00Z
        user: Neu
        edit_count: 3
        comment: zurück
        minor: true
        label: good
        text: Ein Apfelbaum.
"""

EXPORT = """\
<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.4/" version="0.4" xml:lang="de">
  <siteinfo>
    <base>https://de.wikipedia.org/wiki/Wikipedia:Hauptseite</base>
    <namespaces><namespace key="0" /><namespace key="1">Diskussion</namespace></namespaces>
  </siteinfo>
  <page>
    <title>Apfelbaum im Garten</title>
    <id>10</id>
    <revision>
      <id>100</id><timestamp>2026-08-01T10:00:00Z</timestamp>
      <contributor><username>Ada</username><id>7</id></contributor>
      <comment>neu</comment><text xml:space="preserve">Ein Apfelbaum.</text>
    </revision>
    <revision>
      <id>101</id><timestamp>2026-08-01T11:00:00Z</timestamp>
      <contributor><ip>203.0.113.5</ip></contributor>
      <text xml:space="preserve">Kein Birnbaum.</text>
    </revision>
    <revision>
      <id>102</id><timestamp>2026-08-01T12:00:00Z</timestamp>
      <contributor><username>Neu</username><id>8</id></contributor>
      <minor/><comment>zurück</comment><text xml:space="preserve">Ein Apfelbaum.</text>
    </revision>
  </page>
  <page>
    <title>Diskussion:Apfelbaum im Garten</title>
    <id>11</id>
    <revision>
      <id>90</id><timestamp>2026-08-01T10:30:00Z</timestamp>
      <contributor><username>~2026-10011-01</username><id>9</id></contributor>
      <comment>Frage</comment><text xml:space="preserve" />
    </revision>
  </page>
</mediawiki>
"""


@pytest.fixture(scope="session")
def wikis() -> WikiTable:
    """Return the shipped wiki table."""
    return WikiTable.load()


@pytest.fixture
def sample() -> str:
    """Return the content of a sample file: one page of dewiki with an edit and its revert."""
    return SAMPLE


@pytest.fixture
def export_text() -> str:
    """Return an export of format 0.4 of two pages of dewiki, the first as in the sample."""
    return EXPORT


@pytest.fixture
def export(tmp_path: Path, export_text: str) -> Path:
    """Return the file of that export."""
    path = tmp_path / "export.xml"
    path.write_text(export_text, encoding="utf-8")
    return path
