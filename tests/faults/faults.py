"""The faults: each is a block during which something does not work."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.clients.samsyn_server import Server
from tests.faults.database_server import DatabaseServer, wait_until
from tests.faults.server_processes import workers
from tests.faults.tcp_proxy import TcpProxy


@dataclass(frozen=True)
class Scene:
    """A running server, its database, and the network between them."""

    server: Server
    database: DatabaseServer
    network: TcpProxy
    disk: Path | None
    """The file system of the database, if it is one of its own."""


class NotPossibleError(Exception):
    """A fault cannot be made on this machine; the text says why."""


type Fault = Callable[[Scene, float], None]
"""Breaks something, for so many seconds if it does not pass by itself."""


def _signal_postmaster(number: signal.Signals) -> Fault:
    def fault(scene: Scene, _: float) -> None:
        before = scene.database.postmaster
        os.kill(before, number)
        wait_until(lambda: _has_new_postmaster(scene.database, before), 60, "another postmaster")

    return fault


def _has_new_postmaster(database: DatabaseServer, before: int) -> bool:
    with suppress(OSError, ValueError, IndexError):
        return database.postmaster != before
    return False


def _kill_a_session(scene: Scene, _: float) -> None:
    """PostgreSQL ends all sessions when one has crashed, and recovers."""
    with psycopg.connect(scene.database.plain_url) as connection:
        row = connection.execute(
            "SELECT max(pid) FROM pg_stat_activity"
            " WHERE application_name = 'samsyn' AND pid <> pg_backend_pid()"
        ).fetchone()
    if row and row[0]:
        os.kill(row[0], signal.SIGKILL)


def _end_all_sessions(scene: Scene, _: float) -> None:
    with psycopg.connect(scene.database.plain_url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'samsyn' AND pid <> pg_backend_pid()"
        )


def _freeze(scene: Scene, seconds: float) -> None:
    with scene.database.frozen():
        time.sleep(seconds)


def _freeze_postmaster(scene: Scene, seconds: float) -> None:
    """Sessions go on, and none begins."""
    number = scene.database.postmaster
    os.kill(number, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(number, signal.SIGCONT)


def _use_up_connections(scene: Scene, seconds: float) -> None:
    _end_all_sessions(scene, 0)
    with ExitStack() as held, suppress(psycopg.OperationalError):
        try:
            while True:
                held.enter_context(psycopg.connect(scene.database.plain_url))
        finally:
            time.sleep(seconds)


def _fill_disk(scene: Scene, seconds: float) -> None:
    if scene.disk is None:
        raise NotPossibleError("mounting a small file system is not permitted")
    filling = scene.disk / "filling"
    try:
        with filling.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1024 * 1024))
        time.sleep(seconds)
    finally:
        filling.unlink()


def _stop_network(scene: Scene, seconds: float) -> None:
    scene.network.forwarding.clear()
    try:
        time.sleep(seconds)
    finally:
        scene.network.forwarding.set()


def _cut_network(scene: Scene, seconds: float) -> None:
    """Every connection ends after some kilobytes."""
    scene.network.cut_after = {"to_server": 20_000, "to_client": 20_000}
    _end_all_sessions(scene, 0)
    try:
        time.sleep(seconds)
    finally:
        scene.network.cut_after = {}


def _signal_workers(number: signal.Signals, *, count: int | None = None) -> Fault:
    def fault(scene: Scene, _: float) -> None:
        before = workers(scene.server)[:count]
        for process in before:
            os.kill(process, number)
        wait_until(lambda: not set(before) & set(workers(scene.server)), 60, "other workers")

    return fault


def _freeze_a_worker(scene: Scene, seconds: float) -> None:
    process = workers(scene.server)[0]
    os.kill(process, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


def _set_clock_back(scene: Scene, seconds: float) -> None:
    raise NotPossibleError(
        "the clock is that of the whole machine: namespaces have none, and under libfaketime 0.9.10"
        " Python cannot sleep (clock_nanosleep fails) unless the monotonic clock jumps too"
    )


FAULTS: dict[str, Fault] = {
    "no fault": lambda _, seconds: time.sleep(seconds),
    "PostgreSQL restarted (fast)": _signal_postmaster(signal.SIGINT),
    "PostgreSQL restarted (immediate)": _signal_postmaster(signal.SIGQUIT),
    "postmaster killed": _signal_postmaster(signal.SIGKILL),
    "a session killed": _kill_a_session,
    "all sessions ended": _end_all_sessions,
    "PostgreSQL frozen": _freeze,
    "postmaster frozen": _freeze_postmaster,
    "out of connections": _use_up_connections,
    "disk full": _fill_disk,
    "network silent": _stop_network,
    "network cut": _cut_network,
    "a worker killed": _signal_workers(signal.SIGKILL, count=1),
    "all workers killed": _signal_workers(signal.SIGKILL),
    "a worker stopped": _signal_workers(signal.SIGTERM, count=1),
    "a worker frozen": _freeze_a_worker,
    "clock set back": _set_clock_back,
}


@contextmanager
def small_file_system(megabytes: int, folder: Path) -> Iterator[Path | None]:
    """Mount a file system in memory at a folder until the block ends; None where it cannot be."""
    options = f"size={megabytes}m,mode=755"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
