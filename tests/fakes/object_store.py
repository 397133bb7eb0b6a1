"""An object store on loopback that speaks as much of S3 as a lake needs; its objects are files of a folder.

It runs in a process of its own: some calls of deltalake hold Python's lock until the store has answered. Signatures are
not looked at. One bucket name is as good as another.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape, unescape

from aiohttp import web

ROOT = Path(__file__).resolve().parents[2]
KEY = re.compile("<Key>(.*?)</Key>")
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
ETAG = '"any"'
CHANGED = "2026-10-01T00:00:00.000Z"


@contextmanager
def object_store(folder: Path, *, conditional_put: bool = True) -> Iterator[str]:
    """Serve the objects below a folder; yield the address. Requests are listed in ``FOLDER.log``, one a line."""
    command = [sys.executable, "-m", "tests.fakes.object_store", str(folder), str(int(conditional_put))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


class ObjectStore:
    """Answers requests; an object's path begins with its bucket."""

    def __init__(self, folder: Path, *, conditional_put: bool) -> None:
        self._folder = folder
        self._conditional_put = conditional_put
        self._log = folder.with_suffix(".log").open("w", buffering=1)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"].strip("/")
        self._log.write(f"{request.method} {path}\n")
        file = self._folder / path
        if request.method == "PUT":
            return self._put(file, await request.read(), request.headers.get("If-None-Match"))
        if request.method == "POST":  # several at once
            keys = KEY.findall(await request.text())
            for key in keys:
                (file / unescape(key)).unlink(missing_ok=True)
            deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            return _xml(f"<DeleteResult>{deleted}</DeleteResult>")
        if request.query.get("list-type") == "2":
            return self._list(file, request.query)
        return self._get(file, request)

    def _put(self, file: Path, content: bytes, condition: str | None) -> web.Response:
        if self._conditional_put and condition == "*" and file.exists():
            return web.Response(status=412)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return web.Response(headers={"ETag": ETAG})

    def _get(self, file: Path, request: web.Request) -> web.Response:
        if not file.is_file():
            return web.Response(status=404)
        content = file.read_bytes()
        headers = {"ETag": ETAG, "Last-Modified": "Thu, 01 Oct 2026 00:00:00 GMT"}
        asked = RANGE.fullmatch(request.headers.get("Range", ""))
        if asked is None:
            return web.Response(body=content, headers=headers)
        first, last = asked.groups()
        begin = int(first) if first else max(len(content) - int(last), 0)
        end = int(last) + 1 if first and last else len(content)
        part = content[begin:end]
        headers["Content-Range"] = f"bytes {begin}-{begin + len(part) - 1}/{len(content)}"
        return web.Response(status=206, body=part, headers=headers)

    def _list(self, bucket: Path, query: Mapping[str, str]) -> web.Response:
        prefix, after = query.get("prefix", ""), query.get("start-after", "")
        listed = ""
        folders = set()
        for key in sorted(str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file()):
            if not key.startswith(prefix) or key <= after:
                continue
            folder, found, _ = key.removeprefix(prefix).partition(query.get("delimiter", "\0"))
            if found:
                folders.add(prefix + folder + found)
            else:
                listed += (
                    f"<Contents><Key>{escape(key)}</Key><Size>{(bucket / key).stat().st_size}</Size>"
                    f"<LastModified>{CHANGED}</LastModified><ETag>{ETAG}</ETag></Contents>"
                )
        for folder in sorted(folders):
            listed += f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
        return _xml(f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>")


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/xml")


async def main() -> None:
    folder, conditional_put = Path(sys.argv[1]), sys.argv[2] == "1"
    app = web.Application(client_max_size=2**30)
    store = ObjectStore(folder, conditional_put=conditional_put)
    app.router.add_route("*", "/{path:.*}", store.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
