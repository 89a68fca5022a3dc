"""The companion process: sends events on connections that workers hand over."""

import asyncio
import logging
import os
import resource
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from samsyn_admin.companions.open_files import allow_files
from samsyn_admin.companions.tied import end_with_server
from samsyn_admin.live.handover import receive
from samsyn_admin.live.hub import Hub
from samsyn_admin.live.reading import Listener
from samsyn_admin.live.replication import Gate
from samsyn_admin.live.streams import Stream, prepare
from samsyn_model.database.engine import open_engine
from samsyn_model.log import write_log
from samsyn_model.metrics import counting
from samsyn_model.replicas.replica import open_replica
from samsyn_model.settings import Settings, get_settings

LOGGER = logging.getLogger(__name__)

_LISTENER = 3  # the descriptor of the socket that the server has made
_BACKLOG = 4096
_FILES = 65536  # a socket of each client, where the system allows it
_SPARE_FILES = 64  # for what is not a client
_STATEMENT_TIMEOUT = 30  # seconds


def run_live(url: str, settings: Settings, listener: socket.socket) -> None:
    """Send events until SIGTERM, on connections that come through a listening Unix socket."""
    write_log(settings.log_format, logging.WARNING, "%(asctime)s %(levelname)s %(message)s")
    counting.begin("live")
    allow_files(_FILES)
    with asyncio.Runner() as runner:
        runner.run(_serve(url, settings, listener))


def listen_at(path: Path) -> socket.socket:
    """Return a Unix socket at a path that workers of this user connect to; raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    own = path.with_name(f".{path.name}.{os.getpid()}")  # until it listens
    mask = os.umask(0o177)
    try:
        listener.bind(str(own))
    finally:
        os.umask(mask)
    listener.listen(_BACKLOG)
    own.replace(path)
    return listener


async def _serve(url: str, settings: Settings, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    engine = open_engine(url, statement_timeout=_STATEMENT_TIMEOUT)
    replica = open_replica(url, settings)
    if replica is not None:
        replica.watch()
    hub = Hub(engine, settings.live_streams, None if replica is None else Gate(replica))

    def wake() -> None:
        loop.call_soon_threadsafe(hub.wake)

    Listener(engine, wake).start()
    door = _Door(loop, listener, hub)
    tasks: list[asyncio.Task[Any]] = [
        asyncio.create_task(hub.run()),
        asyncio.create_task(hub.beat()),
    ]
    is_over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, is_over.set)
    ending: asyncio.Task[Any] = asyncio.create_task(is_over.wait())
    done, _ = await asyncio.wait([*tasks, ending], return_when=asyncio.FIRST_COMPLETED)
    door.close()
    hub.end()
    await asyncio.sleep(0)  # the ends are sent
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done - {ending}:
        task.result()  # raises what has ended it


class _Door:
    """Where connections come in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: socket.socket, hub: Hub) -> None:
        self._loop, self._listener, self._hub = loop, listener, hub
        self._tasks = set[asyncio.Task[None]]()
        self._last_file = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_FILES
        listener.setblocking(False)
        loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept nothing more."""
        self._loop.remove_reader(self._listener)

    def _accept(self) -> None:
        with suppress(BlockingIOError, InterruptedError, ConnectionAbortedError):
            channel, _ = self._listener.accept()
            channel.setblocking(False)
            self._loop.add_reader(channel, self._receive, channel)

    def _receive(self, channel: socket.socket) -> None:
        try:
            received = receive(channel)
        except BlockingIOError:
            return
        except (OSError, ValueError, TypeError):
            LOGGER.exception("A connection was not received")
            received = None
        self._loop.remove_reader(channel)
        channel.close()
        if received is None:
            return
        admission, client = received
        if client.fileno() > self._last_file:
            LOGGER.error("There are more clients than files that may be open (ulimit -n).")
            client.close()
        else:
            task = self._loop.create_task(self._begin(Stream(admission), client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _begin(self, stream: Stream, client: socket.socket) -> None:
        prepare(client)
        with suppress(OSError):  # the client has gone
            await self._loop.connect_accepted_socket(lambda: stream, client)
            self._hub.add(stream)


def main() -> None:
    """Run beside a server, on the listening socket that it has made."""
    end_with_server()
    listener = socket.socket(fileno=_LISTENER)
    run_live(os.environ["DATABASE_URL"], get_settings(), listener)


if __name__ == "__main__":
    main()
