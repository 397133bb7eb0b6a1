import csv
import json
from pathlib import Path

import pytest

from revertrisk.wiki.table import ALIASES, SCORABLE_FAMILIES, Wiki, WikiTable, WikiTableError
from revertrisk.wiki.table_build import main, table_text

REPOSITORY = Path(__file__).resolve().parents[3]
CANONICAL_LIST = REPOSITORY.parent / "shared" / "data" / "wikis.tsv"
SHIPPED = REPOSITORY / "revertrisk" / "wiki" / "wikis.json"

needs_canonical_list = pytest.mark.skipif(
    not CANONICAL_LIST.exists(), reason="the canonical list of wikis is not beside the repository"
)


@pytest.fixture(scope="module")
def table() -> WikiTable:
    """Return the shipped table."""
    return WikiTable.load()


def canonical_rows() -> list[dict[str, str]]:
    """Return the rows of Wikimedia's list of wikis."""
    with CANONICAL_LIST.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@needs_canonical_list
def test_all_open_public_wikipedias_are_found_by_everything_they_are_called(table: WikiTable) -> None:
    """Each of the 342 is found by id, domain, language code and subdomain, and is scorable."""
    rows = [
        row
        for row in canonical_rows()
        if (row["database_group"], row["status"], row["visibility"]) == ("wikipedia", "open", "public")
    ]
    assert len(rows) == 342
    for row in rows:
        wiki = Wiki(
            row["database_code"],
            row["domain_name"],
            row["language_code"],
            "wikipedia",
            is_open=True,
            is_public=True,
        )
        subdomain = row["domain_name"].removesuffix(".wikipedia.org")
        assert wiki.is_scorable
        assert table.by_id(row["database_code"]) == wiki
        assert table.by_domain(row["domain_name"]) == wiki
        for name in (row["database_code"], row["language_code"], subdomain, subdomain.replace("-", "_")):
            assert table.by_name(name) == wiki
            assert table.by_name(name.upper()) == wiki


@needs_canonical_list
def test_every_wiki_is_in_the_table_and_only_342_and_the_two_test_wikis_are_scorable(
    table: WikiTable,
) -> None:
    """Every row of the canonical list is in the table with its facts, closed and private wikis as well."""
    rows = canonical_rows()
    assert len(table) == len(rows) == 1050
    for row in rows:
        wiki = table.by_id(row["database_code"])
        assert wiki == Wiki(
            wiki_id=row["database_code"],
            domain=row["domain_name"],
            language=row["language_code"],
            family=row["database_group"],
            is_open=row["status"] == "open",
            is_public=row["visibility"] == "public",
        )
    assert len([wiki for wiki in table if wiki.is_scorable]) == 342 + 2


@needs_canonical_list
def test_the_shipped_table_is_what_the_command_makes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Made again from the canonical list, in any order of its rows, the table is the same to the byte."""
    output = tmp_path / "wikis.json"
    main([str(CANONICAL_LIST), "--output", str(output)])
    assert output.read_bytes() == SHIPPED.read_bytes()
    assert capsys.readouterr().out == f"{output}: 1050 wikis\n"
    assert table_text(reversed(canonical_rows())) == output.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "wiki_id"),
    [
        ("be-tarask", "be_x_oldwiki"),
        ("be_tarask", "be_x_oldwiki"),
        ("be-x-old", "be_x_oldwiki"),
        ("be_x_old", "be_x_oldwiki"),
        ("be_x_oldwiki", "be_x_oldwiki"),
        ("be", "bewiki"),
        ("nb", "nowiki"),
        ("no", "nowiki"),
        ("nn", "nnwiki"),
        ("yue", "zh_yuewiki"),
        ("zh-yue", "zh_yuewiki"),
        ("zh_yue", "zh_yuewiki"),
        ("nan", "zh_min_nanwiki"),
        ("zh-min-nan", "zh_min_nanwiki"),
        ("zh_min_nan", "zh_min_nanwiki"),
        ("lzh", "zh_classicalwiki"),
        ("zh-classical", "zh_classicalwiki"),
        ("gsw", "alswiki"),
        ("als", "alswiki"),
        ("sgs", "bat_smgwiki"),
        ("bat-smg", "bat_smgwiki"),
        ("vro", "fiu_vrowiki"),
        ("fiu-vro", "fiu_vrowiki"),
        ("rup", "roa_rupwiki"),
        ("roa-rup", "roa_rupwiki"),
        ("zh", "zhwiki"),
        ("en", "enwiki"),
        ("EN", "enwiki"),
        ("enwiki", "enwiki"),
        ("ENWIKI", "enwiki"),
        ("simple", "simplewiki"),
        ("test", "testwiki"),
        ("test2", "test2wiki"),
        ("aa", "aawiki"),
        ("commonswiki", "commonswiki"),
        ("arbcom_enwiki", "arbcom_enwiki"),
        ("enwiktionary", "enwiktionary"),
    ],
)
def test_a_wiki_is_found_by_its_names(table: WikiTable, name: str, wiki_id: str) -> None:
    """Language codes, subdomains, wiki ids and aliases lead to the wiki that they mean."""
    wiki = table.by_name(name)
    assert wiki is not None
    assert wiki.wiki_id == wiki_id


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "en ",
        "xx",
        "www",
        "commons",
        "meta",
        "wikipedia",
        "en.wikipedia.org",
        "arbcom-en",
        "enwiki\n",
        "../en",
    ],
)
def test_other_names_find_nothing(table: WikiTable, name: str) -> None:
    """A name of no Wikipedia finds nothing: other projects are found by wiki id alone."""
    assert table.by_name(name) is None


@pytest.mark.parametrize(
    ("wiki_id", "codes"),
    [
        ("emlwiki", "egl eml"),
        ("nrmwiki", "nrf nrm"),
        ("bhwiki", "bho bh"),
        ("cbk_zamwiki", "cbk-x-zam cbk cbk-zam"),
        ("map_bmswiki", "jv-x-bms map-bms"),
        ("roa_tarawiki", "nap-x-tara roa-tara"),
        ("jvwiki", "jv"),
        ("simplewiki", "simple en-simple"),
        ("zhwiki", "zh zh-hans zh-hant zh-cn zh-Hant-HK zh-my"),
        ("srwiki", "sr sr-el sr-ec sr-Latn sr-cyrl"),
        ("shwiki", "sh-latn sh-cyrl"),
        ("kkwiki", "kk-cyrl kk-latn kk-arab kk-kz"),
        ("kuwiki", "ku-latn ku-arab"),
        ("uzwiki", "uz-latn uz-cyrl"),
        ("tgwiki", "tg-latn tg-cyrl"),
        ("crhwiki", "crh-latn crh-cyrl crh-ro"),
        ("ganwiki", "gan-hans gan-hant"),
        ("iuwiki", "iu ike-cans ike-latn"),
        ("shiwiki", "shi-tfng shi-latn"),
        ("enwiki", "en-gb en-ca EN-GB en-x-piglatin"),
        ("ptwiki", "pt-br"),
        ("be_x_oldwiki", "be-tarask"),
        ("nds_nlwiki", "nds-nl nds-NL"),
        ("zh_min_nanwiki", "nan nan-latn-tailo"),
        ("zh_yuewiki", "yue yue-hans"),
        ("zh_classicalwiki", "lzh"),
        ("nowiki", "nb no"),
        ("enwiki", "enwiki"),
    ],
)
def test_h2_a_page_language_finds_its_wiki(table: WikiTable, wiki_id: str, codes: str) -> None:
    """H2: BCP 47 codes, language variants, and what a wiki is called anyway."""
    found = [table.by_page_language(code) for code in codes.split()]
    assert {wiki and wiki.wiki_id for wiki in found} == {wiki_id}


def test_h2_a_language_without_a_wiki_is_a_wiki_to_come(table: WikiTable) -> None:
    """H2: it is in no table, and nothing can be asked of it; a name of no language is none."""
    for code, wiki_id in {"tlh": "tlhwiki", "zxx-Latn-a1": "zxx_latn_a1wiki"}.items():
        wiki = table.by_page_language(code)
        assert wiki is not None
        assert (wiki.wiki_id, wiki.language, wiki.is_scorable) == (wiki_id, code.lower(), True)
        assert table.by_id(wiki_id) is None
    for name in ("", "evil.example", "xxwiki", "../en", "x-default", "en\n", "e", "commons"):
        assert table.by_page_language(name) is None
    closed = table.by_page_language("aa")
    assert closed is not None
    assert not closed.is_scorable


def test_ids_are_exact_and_domains_are_whole(table: WikiTable) -> None:
    """An id is compared as written; a domain in any letter case, but never in part."""
    assert table.by_id("ENWIKI") is None
    assert table.by_id("en") is None
    assert table.by_domain("EN.Wikipedia.org") is table.by_id("enwiki")
    for domain in (
        "wikipedia.org",
        "en.wikipedia.org.evil",
        "evil.en.wikipedia.org",
        "en.m.wikipedia.org",
        "",
    ):
        assert table.by_domain(domain) is None


def test_test_wikis_are_scorable_and_in_english(table: WikiTable) -> None:
    """The wikis testwiki and test2wiki are scored as English; other test wikis are not scored."""
    for wiki_id in ("testwiki", "test2wiki"):
        wiki = table.by_id(wiki_id)
        assert wiki is not None
        assert wiki.is_scorable
        assert wiki.language == "en"
    for wiki_id in ("testwikidatawiki", "testcommonswiki"):
        wiki = table.by_id(wiki_id)
        assert wiki is not None
        assert not wiki.is_scorable


@pytest.mark.parametrize(
    "wiki_id", ["aawiki", "arbcom_enwiki", "nostalgiawiki", "commonswiki", "wikidatawiki", "enwikibooks"]
)
def test_closed_private_and_other_wikis_are_known_but_not_scorable(table: WikiTable, wiki_id: str) -> None:
    """The table knows what it does not score, so that it can be told from what does not exist."""
    wiki = table.by_id(wiki_id)
    assert wiki is not None
    assert not wiki.is_scorable


def test_every_alias_leads_somewhere_and_is_needed(table: WikiTable) -> None:
    """An alias names a wiki of the shipped table and is neither a language code nor a subdomain."""
    for name, wiki_id in ALIASES.items():
        assert table.by_id(wiki_id) is not None
        wikipedias = [wiki for wiki in table if wiki.family in SCORABLE_FAMILIES]
        assert name not in {wiki.language for wiki in wikipedias}
        assert name not in {wiki.domain.partition(".")[0] for wiki in wikipedias}


def write(path: Path, value: object) -> Path:
    """Write a value as JSON and return the file's path."""
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_a_file_replaces_the_shipped_table(tmp_path: Path) -> None:
    """A table of one's own is read from a file, and only its wikis exist."""
    path = write(
        tmp_path / "wikis.json",
        {"ourwiki": {"domain": "our.wiki.example", "language": "sv", "family": "wikipedia"}},
    )
    table = WikiTable.load(path)
    ours = Wiki("ourwiki", "our.wiki.example", "sv", "wikipedia", is_open=True, is_public=True)
    assert list(table) == [ours]
    assert table.by_name("sv") == table.by_name("our") == table.by_domain("our.wiki.example") == ours
    assert table.by_name("nb") is table.by_id("nowiki") is None


ENTRY = {"domain": "a.example", "language": "a", "family": "wikipedia"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "must be a JSON object with an entry for each wiki"),
        ({}, "must be a JSON object with an entry for each wiki"),
        ({"awiki": "a.example"}, "awiki must be an object"),
        (
            {"awiki": {"language": "a", "family": "wikipedia"}},
            "awiki: domain must be a string that is not empty",
        ),
        ({"awiki": ENTRY | {"language": ""}}, "awiki: language must be a string that is not empty"),
        ({"awiki": ENTRY | {"family": 1}}, "awiki: family must be a string that is not empty"),
        ({"awiki": ENTRY | {"closed": "no"}}, "awiki: closed must be true or false"),
        ({"awiki": ENTRY | {"colour": "red"}}, "awiki must not have unknown fields: colour"),
        ({"awiki": ENTRY, "bwiki": ENTRY}, "bwiki and awiki have the same domain"),
        ({"a wiki": ENTRY}, "'a wiki' must be a wiki id: lower case, digits, _ and -"),
        ({"a|b": ENTRY}, "'a|b' must be a wiki id: lower case, digits, _ and -"),
        ({"a\nwiki": ENTRY}, "'a\\nwiki' must be a wiki id: lower case, digits, _ and -"),
        ({"awiki": ENTRY | {"a\nb": 1}}, "awiki must not have unknown fields: a\\nb"),
        ({"awiki": ENTRY | {"language": "e\tn"}}, "awiki: language must be a language code"),
        ({"awiki": ENTRY | {"family": "wiki pedia"}}, "awiki: family must be a word of letters and digits"),
        *(
            ({"awiki": ENTRY | {"domain": domain}}, "awiki: domain must be a host name in lower case")
            for domain in (
                "a.example\r\nX-A: b",
                "a.example\n",
                " a.example",
                "a.example/w",
                "user@a.example",
                "A.example",
                "a..example",
                "-a.example",
                "a_b.example",
                "a.example:http",
                "a.example:0",
                "a.example:65536",
                "a.example?b",
                "\u00e4.example",
                "a." * 127,
            )
        ),
    ],
)
def test_a_bad_table_is_refused_with_its_file_and_entry(
    tmp_path: Path, content: object, message: str
) -> None:
    """What is wrong with a table is said with the file, the wiki and the field."""
    path = write(tmp_path / "mine.json", content)
    with pytest.raises(WikiTableError) as caught:
        WikiTable.load(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file and a file that is not JSON are refused with the file's name."""
    with pytest.raises(WikiTableError, match=r"none\.json: cannot be read \(No such file"):
        WikiTable.load(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"\xff{")
    with pytest.raises(WikiTableError, match=r"broken\.json: is not JSON in UTF-8"):
        WikiTable.load(broken)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"a": ' * 100_000, "is nested too deeply"),
        (b'{"awiki": {}, "awiki": {}}', "has 'awiki' twice in one object"),
        (b'{"awiki": {"domain": "a.example", "domain": "b.example"}}', "has 'domain' twice in one object"),
        (b" " * (2**24 + 1), "is larger than 16777216 bytes"),
    ],
    ids=["lists", "objects", "a wiki twice", "a field twice", "huge"],
)
def test_m3_a_file_that_could_be_read_in_two_ways_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """M3: so is one that Python's reader gives up on."""
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(WikiTableError) as caught:
        WikiTable.load(path)
    assert str(caught.value) == f"{path}: {message}"


def test_u4_a_host_may_have_a_port(tmp_path: Path) -> None:
    """U4: a wiki of one's own lives anywhere."""
    content = {
        f"{letter}wiki": ENTRY | {"domain": domain}
        for letter, domain in {"a": "localhost:8080", "b": "127.0.0.1", "c": "xn--4ca.example"}.items()
    }
    assert len(WikiTable.load(write(tmp_path / "mine.json", content))) == 3


ROW = {
    "database_code": "awiki",
    "domain_name": "a.example",
    "language_code": "a",
    "database_group": "wikipedia",
    "status": "open",
    "visibility": "public",
}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW | {"status": "asleep"}], "awiki: status must be one of open, closed"),
        ([ROW | {"visibility": ""}], "awiki has no visibility"),
        ([ROW, ROW], "awiki occurs twice"),
        ([{"code": "awiki"}], "a row has no database_code"),
    ],
)
def test_a_list_that_is_not_understood_makes_no_table(rows: list[dict[str, str]], message: str) -> None:
    """A new status, a missing column or a wiki listed twice stops the build and is named."""
    with pytest.raises(ValueError, match=message):
        table_text(rows)


def test_the_command_says_what_is_wrong_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends with status 1 and one line that names the file; the old table stays."""
    source = tmp_path / "wikis.tsv"
    source.write_text("database_code\tdomain_name\nawiki\ta.example\n", encoding="utf-8")
    output = write(tmp_path / "wikis.json", {"old": 1})
    with pytest.raises(SystemExit) as caught:
        main([str(source), "--output", str(output)])
    assert caught.value.code == 1
    assert capsys.readouterr().err == f"{source}: awiki has no language_code\n"
    assert json.loads(output.read_text(encoding="utf-8")) == {"old": 1}
