"""What processes and poolers are seen to need, now and then, during a run."""

import asyncio
import statistics
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from bench.databases import connection_values, session
from bench.production.arrangement import Arrangement

_EVERY = 3.0  # seconds
_MEBIBYTE = 1024 * 1024


class Samples:
    """Memory of each service, and connections to the database."""

    def __init__(self, arrangement: Arrangement) -> None:
        self._arrangement = arrangement
        self.memory: dict[str, list[int]] = defaultdict(list)
        """Bytes of each service that no other process has, shared ones in proportion (PSS)."""
        self.pooled: list[int] = []
        """Connections of PgBouncer to PostgreSQL."""
        self.waiting: list[int] = []
        """Clients of PgBouncer that wait for one."""
        self.clients: list[int] = []
        """Connections to PgBouncer."""
        self.connections: list[int] = []
        """All connections to the database, but that of the samples."""

    async def take(self) -> None:
        """Take samples until cancelled."""
        while True:
            with suppress(psycopg.OperationalError):
                await asyncio.to_thread(self._take)
            await asyncio.sleep(_EVERY)

    def _take(self) -> None:
        for name, program in self._arrangement.programs.items():
            total = sum(map(_memory, program.pids()))
            if total:
                self.memory[name].append(total)
        values = connection_values(self._arrangement.pooler)
        with psycopg.connect(**values, autocommit=True) as console:  # type: ignore[arg-type]
            cursor: psycopg.ClientCursor[Any] = psycopg.ClientCursor(console)
            cursor.execute("SHOW POOLS")
            names = [column.name for column in cursor.description or ()]
            pools = [dict(zip(names, row, strict=True)) for row in cursor]
        ours = [pool for pool in pools if pool["database"] == "samsyn"]
        self.pooled.append(_sum(ours, "sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login"))
        self.waiting.append(_sum(ours, "cl_waiting"))
        self.clients.append(_sum(ours, "cl_active", "cl_waiting"))
        with session(self._arrangement.database) as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            self.connections.append(next(cursor)[0])

    def growth(self, name: str) -> tuple[float, float, float]:
        """Return the MiB that a service had in the first half, in the second, and at most; the
        first eighth, in which caches fill, is left out."""
        values = self.memory[name]
        kept = values[len(values) // 8 :]
        middle = len(kept) // 2
        halves = kept[:middle] or kept, kept[middle:]
        first, second = (statistics.median(half) / _MEBIBYTE for half in halves)
        return first, second, max(values) / _MEBIBYTE


def _sum(pools: list[dict[str, Any]], *columns: str) -> int:
    return sum(int(pool[column]) for pool in pools for column in columns)


def _memory(pid: int) -> int:
    """Return a process's proportional memory; 0 where it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
