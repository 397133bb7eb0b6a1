"""An S3 server for tests/peers/s3.py: moto's, in the virtual environment of the peers. It prints its port.

Requests are answered one at a time, so that of two conditional PUTs of one object one comes first. In the bucket
``unsafe`` the condition is not looked at, as by stores that do not know it.
"""

import sys
import threading
from collections.abc import Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BACKENDS = DomainDispatcherApplication(create_backend_app)
LOCK = threading.Lock()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"].startswith("/unsafe/"):
        environ.pop("HTTP_IF_NONE_MATCH", None)
    with LOCK:
        return list(BACKENDS(environ, start_response))


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, threaded=True)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()
