"""Run the mock EventGate: ``python -m mock_eventgate --port 8192``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import uvloop

from mock_eventgate.app import Options, serve
from mock_eventgate.reader import EventIds
from mock_eventgate.reasons import read_explain_by
from revertrisk.runtime.logs import configure_logging_from_environment

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8192


def run(host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, options: Options | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    :raises StreamConfigError: if the stream configuration file cannot be used; it is a ValueError, as is
        a port that cannot be one.
    :raises OSError: if the address cannot be listened on.
    """
    configure_logging_from_environment("WARNING", sys.stderr)
    uvloop.run(serve(host, port, options))


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and `run`; a mistake in it ends the program with status 2 and its reason."""
    defaults = Options()
    parser = argparse.ArgumentParser(
        prog="mock_eventgate", description="A mock EventGate; nothing reaches Kafka."
    )
    parser.add_argument("--host", default=DEFAULT_HOST)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--stream-config", type=Path, metavar="FILE", help="YAML or JSON: stream → settings")
    parser.add_argument("--max-body", type=int, default=defaults.max_body, metavar="BYTES")
    parser.add_argument(
        "--event-ids",
        choices=get_args(EventIds),
        default=defaults.event_ids,
        help="what /v2/stream resumes by; timestamp is Wikimedia's way, and can lose events (default: offset)",
    )
    parser.add_argument(
        "--max-stream-seconds",
        type=float,
        metavar="SECONDS",
        help="end each /v2/stream response after so long; EventStreams does after 900",
    )
    parser.add_argument(
        "--diff-base",
        metavar="URL",
        help="a mock MediaWiki whose diff pages the live page links to, such as http://127.0.0.1:8193",
    )
    parser.add_argument(
        "--explain-by",
        action="append",
        default=[],
        metavar="MODEL=URL",
        help="a model's server that the live page's reasons are asked of; repeatable",
    )
    arguments = parser.parse_args(argv)
    try:
        options = Options(
            stream_config=arguments.stream_config,
            max_body=arguments.max_body,
            event_ids=arguments.event_ids,
            max_stream_seconds=arguments.max_stream_seconds,
            diff_base=arguments.diff_base,
            explain_by=read_explain_by(arguments.explain_by),
        )
        run(arguments.host, arguments.port, options)
    except (ValueError, OSError) as error:  # settings, address
        parser.error(str(error))


if __name__ == "__main__":
    main()
