"""A log line is ECS, as ecs-logging writes it, and holds nothing personal."""

import json
import logging
import os
import subprocess
import sys
from typing import Any

import ecs_logging
import pytest

from revertrisk.runtime.logs import (
    EcsFormatter,
    ExceptionArguments,
    ExceptionPlaces,
    TextFormatter,
    configure_logging,
    fields_of,
    label,
    start_request,
)

LEFT_OUT = ("log.original", "log.origin", "process.thread", "process.name")
"""Fields that repeat the message or the deployment on every line."""


def record_of(level: int, message: str, *arguments: object, **fields: Any) -> logging.LogRecord:
    record = logging.LogRecord("model_server.request", level, __file__, 1, message, arguments, None)
    record.__dict__.update(fields)
    return record


@pytest.mark.parametrize(
    "record",
    [
        record_of(logging.INFO, "predict", **{"http.request.id": "a", "http.response.status_code": 200}),
        record_of(logging.WARNING, "%s of %d", "two", 3, **{"labels.wiki_id": "dewiki", "labels.rev_id": 7}),
        record_of(logging.ERROR, 'Zürich "quoted" \n', **{"error.type": "X", "error.stack_trace": "a\nb"}),
        record_of(
            logging.CRITICAL, "plain", not_a_field=1, **{"event.duration": 12, "labels.fetch_ms": 0.25}
        ),
    ],
)
def test_a_line_is_what_ecs_logging_writes(record: logging.LogRecord) -> None:
    """Field for field, whatever the order."""
    theirs = json.loads(ecs_logging.StdlibFormatter(exclude_fields=LEFT_OUT).format(record))
    ours = json.loads(EcsFormatter().format(record))
    assert ours == {name: value for name, value in theirs.items() if name != "not_a_field"} | {
        "@timestamp": ours["@timestamp"]
    }
    # Theirs cuts milliseconds off, ours too: they may differ in the last digit only where a float does.
    assert ours["@timestamp"][:-5] == theirs["@timestamp"][:-5]


def test_an_exception_is_told_by_its_type_and_places_alone() -> None:
    """Its text may quote a revision, a user or an answer's body."""
    try:
        raise ValueError("the wikitext of somebody")  # noqa: TRY301 - one that was really raised
    except ValueError as error:
        record = record_of(logging.ERROR, "failed: %s", error)
        record.exc_info = (type(error), error, error.__traceback__)
    assert ExceptionPlaces().filter(record)
    assert ExceptionArguments().filter(record)
    assert "wikitext of somebody" not in TextFormatter().format(record)
    line = EcsFormatter().format(record)
    assert "wikitext of somebody" not in line
    assert json.loads(line)["error"]["type"] == "ValueError"
    assert json.loads(line)["message"] == "failed: ValueError"


def lines_of(script: str, *, log_format: str = "ecs", level: str = "INFO") -> list[str]:
    """What a process writes to its standard output that configures logging and then does as the script says."""
    set_up = f"""
import logging, os, sys
from revertrisk.runtime.logs import *
configure_logging({log_format!r}, {level!r}, sys.stdout)
logger = logging.getLogger("model_server.request")
fields = start_request("a-request")
"""
    done = subprocess.run(
        [sys.executable, "-c", set_up + script], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def test_a_requests_line_is_the_one_that_logging_writes() -> None:
    """All but the moment is the same, whether it was a record or not."""
    directly, as_a_record = map(
        json.loads,
        lines_of("""
label(wiki_id="dewiki", rev_id=7)
fields |= {"event": {"outcome": "failure", "duration": 12}, "error": {"message": "no"}}
log_request(logger, logging.WARNING, "predict", fields)
logger.warning("predict")
"""),
    )
    assert directly | {"@timestamp": ""} == as_a_record | {"@timestamp": ""}
    assert directly["labels"] == {"wiki_id": "dewiki", "rev_id": 7}
    assert directly["http"] == {"request": {"id": "a-request"}}
    assert directly["log"] == {"logger": "model_server.request"}
    assert directly["log.level"] == "warning"


@pytest.mark.parametrize(
    ("log_format", "level", "ends"),
    [
        ("ecs", "WARNING", []),
        ("text", "WARNING", []),
        ("text", "INFO", ["INFO    predict http.request.id=a-request"]),
    ],
)
def test_a_requests_line_obeys_level_and_format(log_format: str, level: str, ends: list[str]) -> None:
    """None is written below the level, and as text it is as any other."""
    lines = lines_of(
        'log_request(logger, logging.INFO, "predict", fields)', log_format=log_format, level=level
    )
    assert [line.partition(" ")[2] for line in lines] == ends


def test_a_requests_line_that_cannot_be_written_fails_no_request() -> None:
    """It is left to logging, which reports it as for any line."""
    assert lines_of('os.close(1)\nlog_request(logger, logging.INFO, "predict", fields)\nos._exit(0)') == []


def test_what_every_line_has_is_not_lost_beside_a_records_own() -> None:
    """The process's id beside its exit code, and the logger's name."""
    line = json.loads(
        EcsFormatter().format(record_of(logging.WARNING, "x", **{"process.exit_code": 3, "log.level2": 1}))
    )
    assert line["process"] == {"pid": os.getpid(), "exit_code": 3}
    assert line["log"] == {"logger": "model_server.request", "level2": 1}


def test_a_records_own_fields_leave_the_requests_alone() -> None:
    """They win on their own line, and are on no other."""
    request = start_request("a-request")
    label(wiki_id="dewiki")
    fields = fields_of(
        record_of(logging.WARNING, "x", **{"labels.wiki_id": "frwiki", "http.request.method": "GET"})
    )
    assert fields["labels"] == {"wiki_id": "frwiki"}
    assert fields["http"] == {"request": {"id": "a-request", "method": "GET"}}
    assert request == {"http": {"request": {"id": "a-request"}}, "labels": {"wiki_id": "dewiki"}}


def test_where_arguments_are_not_hidden_our_own_errors_say_why() -> None:
    """A tool's line ends with the reason; of what was raised on the way it shows type and places only."""
    try:
        raise ValueError("the wikitext of somebody")  # noqa: TRY301 - one that was really raised
    except ValueError as error:
        record = record_of(logging.WARNING, "failed: %s", TimeoutError("too late"))
        record.exc_info = (type(error), error, error.__traceback__)
    assert ExceptionPlaces().filter(record)
    text = TextFormatter(coloured=False).format(record)
    assert "WARNING failed: too late " in text
    assert "error.type=ValueError error.stack_trace=" in text
    assert "wikitext of somebody" not in text


@pytest.mark.parametrize(
    ("given", "reason"), [(("xml", "INFO"), "LOG_FORMAT"), (("ecs", "LOUD"), "LOG_LEVEL")]
)
def test_a_wrong_setting_is_named(given: tuple[str, str], reason: str) -> None:
    """With what it may be."""
    with pytest.raises(ValueError, match=f"{reason}: expected one of"):
        configure_logging(*given, sys.stderr)
