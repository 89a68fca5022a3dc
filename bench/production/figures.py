"""What became of requests: statuses, times, and what nobody has declared."""

import statistics
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping

DECLARED = frozenset({200, 201, 204, 206, 304, 412, 409, 429, 503})
_FOR_A_WHILE = frozenset({429, 503})
_MAX_FAULTS = 40


class Figures:
    """The outcome of all requests of a run."""

    def __init__(self) -> None:
        self.statuses: dict[str, Counter[int]] = defaultdict(Counter)
        """By kind of request."""
        self._times: dict[str, array[float]] = defaultdict(lambda: array("f"))
        self.faults: list[str] = []
        """What should not have been, the first of many."""
        self.fault_count = 0

    def note(
        self,
        kind: str,
        status: int,
        seconds: float,
        headers: Mapping[str, str],
        *,
        expected: frozenset[int] = DECLARED,
    ) -> None:
        """Note a response; an undeclared one is a fault."""
        self.statuses[kind][status] += 1
        self._times[kind].append(seconds)
        if status not in expected:
            self.fault(f"{kind}: status {status}")
        elif status in _FOR_A_WHILE and not headers.get("retry-after"):
            self.fault(f"{kind}: status {status} without Retry-After")

    def broken(self, kind: str, reason: str) -> None:
        """Note a request without a response."""
        self.statuses[kind][0] += 1
        self.fault(f"{kind}: no response: {reason}")

    def fault(self, text: str) -> None:
        """Note what should not have been."""
        self.fault_count += 1
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(text)

    @property
    def total(self) -> int:
        """How many requests there were."""
        return sum(counted.total() for counted in self.statuses.values())

    @property
    def refused(self) -> int:
        """How many were asked to come back later."""
        return sum(counted[status] for counted in self.statuses.values() for status in _FOR_A_WHILE)

    def rows(self) -> list[list[str]]:
        """Return a row for each kind: how many, p50, p95 and p99 in milliseconds, statuses."""
        rows = []
        for kind in sorted(self.statuses):
            counted, times = self.statuses[kind], self._times[kind]
            parts = [
                f"{value * 1000:,.0f}" for value in (percentile(times, at) for at in (50, 95, 99))
            ]
            by_status = ", ".join(f"{status}: {counted[status]:,}" for status in sorted(counted))
            rows.append([kind, f"{counted.total():,}", *parts, by_status])
        return rows


def percentile(values: "array[float] | list[float]", at: int) -> float:
    """Return a percentile of values; 0 where there are none."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[at - 1]
