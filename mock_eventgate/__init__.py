"""A mock EventGate: Wikimedia's event intake over HTTP, for development and tests.

`listening` serves one in the running loop, `create_app` makes the application, `run` is the program
``revertrisk mock-eventgate``.
"""

from mock_eventgate.app import Options, create_app, listening, run
from mock_eventgate.streams import StreamConfigError, StreamConfigs

__all__ = ["Options", "StreamConfigError", "StreamConfigs", "create_app", "listening", "run"]
