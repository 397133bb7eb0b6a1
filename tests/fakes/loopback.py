"""An aiohttp application on a loopback port, in a thread of its own; and a port held for a program that needs one.

A fixture of any scope can start the application, and a program in another process can talk to it.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web


@contextmanager
def held_port() -> Iterator[int]:
    """Yield a free port that no other program is given while the context lasts.

    The socket is bound and does not listen. A server that names the port can listen on it, as often as it starts:
    servers set SO_REUSEADDR, and gRPC's SO_REUSEPORT too. The kernel gives the port to no one who asks for any port.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def serving(app: web.Application) -> Iterator[str]:
    """Serve an application while the context lasts, and yield its base URL."""
    loop = asyncio.new_event_loop()
    started: asyncio.Future[str] = asyncio.Future(loop=loop)
    stop = asyncio.Event()
    url = threading.Event()

    async def run() -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        started.set_result(f"http://{host}:{port}")
        url.set()
        await stop.wait()
        await runner.cleanup()
        # Handlers that hang on purpose end here.
        left = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    url.wait()
    try:
        yield started.result()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
