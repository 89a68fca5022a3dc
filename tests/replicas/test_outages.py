"""A replica that is stopped, frozen, started again and promoted while people read and write."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from flask import Flask
from sqlalchemy import Engine

from samsyn_model.replicas.reads import Reads
from tests.faults.database_server import slack, wait_until
from tests.replicas.people import Person, items_of, person
from tests.replicas.standby import Standby

_PATIENCE = 8.0  # seconds of the slowest request: a silent server is noticed within some


class _Load:
    """People who write and read back, and others who read, until it is enough."""

    def __init__(self, app: Flask, engine: Engine) -> None:
        self.wrong: list[str] = []
        self.slowest = 0.0
        self.count = 0
        self._people = [person(app, engine) for _ in range(4)]
        self._layers = [one.layer(visibility="public") for one in self._people]
        self._anonymous = Person(app)
        self._is_over = Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(6) as pool:
            done = [pool.submit(self._write, number) for number in range(4)]
            done += [pool.submit(self._read, number) for number in range(2)]
            try:
                yield
            finally:
                self._is_over.set()
            for one in done:
                one.result()

    def settle(self) -> None:
        """Let everybody do something more."""
        reached = self.count + 12
        wait_until(lambda: self.count >= reached, 30, "requests go on")

    def _write(self, number: int) -> None:
        own, layer = self._people[number], self._layers[number]
        count = 0
        while not self._is_over.is_set():
            count += 1
            self._timed(lambda: own.insert(layer))
            for who in (own, self._anonymous):
                found = self._timed(lambda who=who: who.get(items_of(layer)))  # type: ignore[misc]
                if found.status_code != 200 or found.json["numberMatched"] != count:
                    self.wrong.append(f"{found.status_code}: {found.text[:200]} for {count}")

    def _read(self, number: int) -> None:
        seen = 0
        while not self._is_over.is_set():
            found = self._timed(lambda: self._anonymous.get(items_of(self._layers[number])))
            if found.status_code != 200 or found.json["numberMatched"] < seen:
                self.wrong.append(f"{found.status_code}: {found.text[:200]} after {seen}")
                continue
            seen = found.json["numberMatched"]

    def _timed[Result](self, request: Callable[[], Result]) -> Result:
        begun = time.monotonic()
        try:
            return request()
        finally:
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.count += 1


def test_nobody_notices_that_a_replica_fails(
    app: Flask, engine: Engine, reads: Reads, standby: Standby
) -> None:
    load = _Load(app, engine)
    calm = Person(app)
    layer = person(app, engine).layer(visibility="public")

    def is_read() -> bool:
        before = standby.mentions(layer)
        assert calm.get(items_of(layer)).status_code == 200
        return standby.mentions(layer) > before

    def is_not_read() -> bool:
        return reads.replica.progress() is None

    with load.running():
        wait_until(is_read, 20, "the replica is read")
        standby.stop()
        wait_until(is_not_read, 10, "the replica is away")
        load.settle()
        standby.start()
        wait_until(is_read, 20, "the replica is read again")
        with standby.frozen():
            wait_until(is_not_read, 15, "the replica is silent")
            load.settle()
        wait_until(is_read, 20, "the replica is read again")
        standby.promote()
        wait_until(is_not_read, 10, "the replica is none any more")
        load.settle()
        standby.stop()
        standby.make_again()
        wait_until(is_read, 30, "another replica is read")
    assert load.wrong == []
    assert load.slowest < _PATIENCE * slack()
