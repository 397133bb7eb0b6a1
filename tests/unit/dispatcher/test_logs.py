import json
import logging
import sys

import pytest

from revertrisk.dispatcher.logs import EcsFormatter, TextFormatter, configure_logging
from revertrisk.dispatcher.settings import SettingsError


def record(**extra: object) -> logging.LogRecord:
    try:
        int("Alice")
    except ValueError:
        made = logging.LogRecord(
            "dispatcher.x", logging.WARNING, "x.py", 1, "gave up %s", ("t[0]:1",), sys.exc_info()
        )
    made.__dict__.update(extra)
    return made


def test_a_line_is_elastic_common_schema() -> None:
    """The fields of the model server's lines, labels nested, and of an exception its type and places only."""
    line = EcsFormatter().format(
        record(**{"labels.wiki_id": "dewiki", "http.request.id": "r-1", "secret": "x"})
    )
    found = json.loads(line)
    assert found.pop("@timestamp").endswith("Z")
    error = found.pop("error")
    assert error["type"] == "ValueError"
    assert "test_logs.py" in error["stack_trace"]
    assert found == {
        "log.level": "warning",
        "message": "gave up t[0]:1",
        "ecs.version": "1.6.0",
        "log": {"logger": "dispatcher.x"},
        "labels": {"wiki_id": "dewiki"},
        "http": {"request": {"id": "r-1"}},
    }
    assert "Alice" not in line


def test_a_person_reads_text() -> None:
    """Without the text of an exception, too."""
    text = TextFormatter().format(record())
    assert "WARNING gave up t[0]:1\nValueError at " in text
    assert "Alice" not in text


@pytest.mark.parametrize(
    ("given", "reason"), [(("xml", "INFO"), "LOG_FORMAT"), (("ecs", "LOUD"), "LOG_LEVEL")]
)
def test_a_wrong_setting_is_named(given: tuple[str, str], reason: str) -> None:
    """With what it may be."""
    with pytest.raises(SettingsError, match=f"{reason}: expected one of"):
        configure_logging(*given)
