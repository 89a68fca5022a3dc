"""Checks of SamSyn alone on the large layer: far pages, uncached tiles, memory."""

import json
import statistics
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.dataset import tiles
from bench.load import Client, times_in_turn
from bench.processes import Running, free_port, serving
from bench.report import Check
from bench.run import Run
from bench.subject import Subject, launch

_FAR = 2000
_PAGE_REQUESTS = 300
_COLD_LEVELS = range(8)
_CONCURRENCY = 8
_MIB_IN_KIB = 1024


def measure_paging(run: Run, url: str, subject: Subject) -> None:
    """Compare page 2,000, found by `next` links, with page 1."""
    client = Client(url)
    first = path = f"{subject.items}?limit=10"
    for _ in range(_FAR - 1):
        links = json.loads(client.body(path))["links"]
        address = urlsplit(next(link["href"] for link in links if link["rel"] == "next"))
        path = f"{address.path}?{address.query}"
    near, far = map(
        statistics.median, times_in_turn([(url, [first]), (url, [path])], _PAGE_REQUESTS)
    )
    detail = {"page_1_ms": round(near * 1e3, 3), "page_2000_ms": round(far * 1e3, 3)}
    run.report.checks.append(
        Check("time of page 2,000 to page 1", far / near, "×", "<=", 1.3, detail)
    )
    run.log_progress(f"  page 2,000: {far * 1e3:.2f} ms, page 1: {near * 1e3:.2f} ms")


def measure_cold_tiles(run: Run, url: str, subject: Subject) -> None:
    """Measure the slowest tile of levels 0 to 7, all uncached."""
    client = Client(url)
    slowest = {}
    subject.touch()
    for level in _COLD_LEVELS:
        times = []
        for z, x, y in tiles(level):
            start = time.perf_counter()
            client.get(subject.tile.format(z=z, x=x, y=y))
            times.append(time.perf_counter() - start)
        slowest[f"z{level}_ms"] = round(max(times) * 1e3, 1)
        run.log_progress(
            f"  cold tiles, z{level}: {len(times)}, the slowest {max(times) * 1e3:.0f} ms"
        )
    worst = max(slowest.values())
    run.report.checks.append(Check("slowest cold tile, z0 to z7", worst, "ms", "<=", 500, slowest))


def measure_memory(run: Run, subject: Subject) -> None:
    """Measure the peak memory of a worker: concurrent large pages, a full download."""
    paths = {
        f"{_CONCURRENCY} pages of 10,000 at once": (f"{subject.items}?limit=10000", _CONCURRENCY),
        "the whole layer as GeoJSON text sequence": (f"{subject.items}?f=geojsonseq", 1),
    }
    for name, (path, concurrency) in paths.items():
        port = free_port()
        log = run.folder / "samsyn-memory.log"
        with serving(launch(subject.database, port), port, log) as running:
            refused = _send_concurrently(running, path, concurrency)
            if refused:
                run.report.remarks.append(f"memory, {name}: not measured: {refused}")
                run.log_progress(f"  memory, {name}: {refused}")
                continue
            peak = max(map(_peak_memory, _children(running.process.pid)))
        run.log_progress(f"  memory, {name}: {peak:.0f} MiB")
        run.report.checks.append(Check(f"memory of a worker, {name}", peak, "MiB", "<=", 200))


def _send_concurrently(running: Running, path: str, concurrency: int) -> str | None:
    """Send concurrent requests; return the first error, if any."""
    refused: list[str] = []

    def send() -> None:
        try:
            Client(running.url).get(path)
        except OSError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=send, daemon=True) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused[0] if refused else None


def _children(process: int) -> list[int]:
    return [
        int(process_id)
        for process_id in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def _peak_memory(process: int) -> float:
    """Return the peak resident memory of a process, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / _MIB_IN_KIB
