"""Many clients of one server at once, for minutes or hours, on a mix of requests: its times, and
whether memory and connections stay as they are.

`python -m bench.mixed_load --clients 500 --minutes 5`, on a database and a server of its own. Of a
hundred requests 35 are pages of features, 20 single features, 15 tiles, 15 bounding boxes, 5
filters, 5 lists of layers, and 5 change a feature.
"""

import contextlib
import json
import os
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click
from sqlalchemy import URL

from bench.databases import database_server, scratch_database, session, vacuum
from bench.dataset import CATEGORIES, boxes, tiles, write_polygons
from bench.processes import free_port, run_program, serving
from bench.subject import OWNER, import_layer, launch, run_samsyn

_SAMPLE_SECONDS = 5
_REQUESTS = 2_000
_TIMEOUT = 60


def _requests(layer_id: str, first_id: int, count: int) -> list[str]:
    """Return lines for requests.lua."""
    chosen = random.Random(7)
    items = f"/ogc/collections/{layer_id}/items"
    areas, levels = boxes(_REQUESTS), tiles(10)

    def item() -> str:
        return f"{items}/{first_id + chosen.randrange(count)}"

    def tile() -> str:
        z, x, y = chosen.choice(levels)
        return f"/ogc/collections/{layer_id}/tiles/WebMercatorQuad/{z}/{y}/{x}"

    kinds: list[tuple[int, Callable[[], str]]] = [
        (35, lambda: f"{items}?limit={chosen.choice([10, 10, 100])}"),
        (20, item),
        (15, tile),
        (15, lambda: f"{items}?limit=100&bbox={chosen.choice(areas)}"),
        (5, lambda: f"{items}?limit=10&category={chosen.choice(CATEGORIES)}"),
        (5, lambda: chosen.choice(["/ogc/collections?limit=10", "/api/v1/layers"])),
        (5, lambda: f'PATCH\t{item()}\t{{"properties": {{"depth": {chosen.randrange(400)}}}}}'),
    ]
    weights = [weight for weight, _ in kinds]
    return [chosen.choices(kinds, weights)[0][1]() for _ in range(_REQUESTS)]


class _Samples:
    """The memory of a process's children and the connections to a database, now and then."""

    def __init__(self, parent: int, database: URL) -> None:
        self._parent, self._database = parent, database
        self._over = threading.Event()
        self.memory: list[int] = []
        """MiB of all workers together that no other process shares (PSS)."""
        self.connections: list[int] = []
        self.files: list[int] = []

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Take samples until the block ends."""
        thread = threading.Thread(target=self._take, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _take(self) -> None:
        with session(self._database) as cursor:
            while not self._over.wait(_SAMPLE_SECONDS):
                workers = _children(self._parent)
                self.memory.append(sum(map(_memory, workers)) // 1024)
                self.files.append(sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in workers))
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                self.connections.append(next(cursor)[0])


def _children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(number) for number in path.read_text().split()]


def _memory(process: int) -> int:
    """Return a process's proportional memory in KiB."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _course(values: list[int]) -> str:
    """Return how values began, what they were at most, and how they ended."""
    tenth = max(1, len(values) // 10)
    begin, end = sum(values[:tenth]) // tenth, sum(values[-tenth:]) // tenth
    return f"{begin} at the beginning, at most {max(values)}, {end} at the end"


@click.command(context_settings={"show_default": True})
@click.option("--clients", default=500, type=click.IntRange(2))
@click.option("--minutes", default=5.0, type=click.FloatRange(0.2))
@click.option("--polygons", default=100_000, type=click.IntRange(20_000))
def main(clients: int, minutes: float, polygons: int) -> None:
    """Send a mix of requests and report the times, the memory and the connections."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="samsyn-bench-")))
        server = stack.enter_context(database_server(os.environ.get("BENCH_DATABASE_URL")))
        database = stack.enter_context(scratch_database(server, "mixed"))
        write_polygons(folder / "polygons.fgb", polygons)
        layer_id = import_layer(database, folder / "polygons.fgb")
        token = run_samsyn(database, "token", "create", OWNER)
        vacuum(database)
        with session(database) as cursor:
            cursor.execute("SELECT min(id) FROM layer_features")
            first_id = next(cursor)[0]
        requests = folder / "requests.txt"
        requests.write_text("\n".join(_requests(layer_id, first_id, polygons)) + "\n")
        port = free_port()
        running = stack.enter_context(serving(launch(database, port), port, folder / "log"))
        samples = _Samples(running.process.pid, database)
        with samples.taken():
            script = Path(__file__).with_name("requests.lua")
            width = ["-t", "2", "-c", str(clients), "--timeout", f"{_TIMEOUT}s"]
            length = ["-d", f"{round(minutes * 60)}s"]
            output = run_program(
                ["wrk", *width, *length, "-s", script, running.url, "--", requests, token]
            )
        result = json.loads(output.strip().splitlines()[-1])
        click.echo(
            f"{clients} clients for {minutes:g} minutes:"
            f" {result['answers'] / result['seconds']:,.0f} responses a second,"
            f" p50 {result['median_ms']:,.0f} ms, p99 {result['p99_ms']:,.0f} ms;"
            f" {result['refused']} with a status of 400 and up,"
            f" {result['broken']} connections broken\n"
            f"memory of the workers in MiB: {_course(samples.memory)}\n"
            f"connections to the database: {_course(samples.connections)}\n"
            f"open files of the workers: {_course(samples.files)}"
        )


if __name__ == "__main__":
    main()
