"""An export of a wiki that no table has."""

from pathlib import Path

import aiohttp
import pytest

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app, listening, open_history, wikis_of
from tests.fakes.exports import chain, export_of, page


async def test_l7_it_is_served_under_its_name_and_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L7: the host of its <base> finds it, and so does a loopback address; another host finds nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dump = tmp_path / "mill.xml"
    site = "<dbname>mill</dbname><base>https://mill.fandom.com/wiki/Main</base>"
    dump.write_text(export_of(page(chain("a", "b")), site=site), encoding="utf-8")
    wikis = wikis_of(dump, "mill")
    asked = {"action": "query", "format": "json", "formatversion": "2", "prop": "revisions", "revids": "2"}
    found = {}
    with open_history(dump, wikis, "mill") as history:
        async with (
            listening(create_app(ActionApi(history), wikis, history.default_wiki_id), "127.0.0.1", 0) as url,
            aiohttp.ClientSession() as session,
        ):
            for host in ("mill.fandom.com", "127.0.0.1", "en.wikipedia.org"):
                async with session.get(f"{url}/w/api.php", params=asked, headers={"Host": host}) as answer:
                    query = (await answer.json())["query"]
                    found[host] = [each["title"] for each in query.get("pages", ())]
    assert found == {"mill.fandom.com": ["Mühle"], "127.0.0.1": ["Mühle"], "en.wikipedia.org": []}
