"""The results of a run: stored as JSON, rendered as a table."""

import json
import os
import platform
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SAMSYN = "SamSyn"


@dataclass
class Comparison:
    """A case on several servers: successful responses per second, round by round."""

    name: str
    group: str
    targets: Mapping[str, float | None]
    rates: dict[str, list[float]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def median(self, name: str) -> float | None:
        """Return a server's median rate, None where it has none."""
        return statistics.median(self.rates[name]) if self.rates.get(name) else None

    def ratio(self, name: str) -> float | None:
        """Return the ratio of SamSyn's rate to a server's."""
        samsyn, other = self.median(SAMSYN), self.median(name)
        return samsyn / other if samsyn is not None and other else None


@dataclass(frozen=True)
class Check:
    """A figure of SamSyn with a bound."""

    name: str
    value: float
    unit: str
    relation: str
    """`<=` or `>=`."""
    target: float
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_met(self) -> bool:
        """Whether the figure is within its bound."""
        return self.value <= self.target if self.relation == "<=" else self.value >= self.target


@dataclass
class Report:
    """The results of a run, and its conditions."""

    options: Mapping[str, Any]
    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    postgresql: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def document(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        return {
            "started": self.started.isoformat(timespec="seconds"),
            "options": self.options,
            "machine": self.machine,
            "versions": self.versions,
            "postgresql": self.postgresql,
            "left_out": self.left_out,
            "remarks": self.remarks,
            "comparisons": [
                {
                    "case": comparison.name,
                    "unit": "answers per second",
                    "rounds": {
                        name: [round(rate, 3) for rate in rates]
                        for name, rates in comparison.rates.items()
                    },
                    "ratios": {
                        name: {"ratio": _rounded(comparison.ratio(name)), "target": target}
                        for name, target in comparison.targets.items()
                    },
                    "faults": comparison.faults,
                }
                for comparison in self.comparisons
            ],
            "checks": [
                {
                    "check": check.name,
                    "value": round(check.value, 4),
                    "unit": check.unit,
                    "target": f"{check.relation} {check.target}",
                    "met": check.is_met,
                    **check.detail,
                }
                for check in self.checks
            ],
        }

    def markdown(self) -> str:
        """Return the report as Markdown."""
        parts = [f"# Measured {self.started:%Y-%m-%d %H:%M} UTC", self._conditions()]
        for group in dict.fromkeys(comparison.group for comparison in self.comparisons):
            parts += [f"## Answers per second: {group}", self._comparison_table(group)]
        if self.checks:
            parts += ["## SamSyn alone", self._check_table()]
        return "\n\n".join(parts) + "\n"

    def _conditions(self) -> str:
        groups = {
            "Machine": self.machine,
            "Versions": self.versions,
            "PostgreSQL": self.postgresql,
            "Left out": self.left_out,
        }
        lines = [
            f"- {title}: " + "; ".join(f"{name} {_in_line(text)}" for name, text in facts.items())
            for title, facts in groups.items()
            if facts
        ]
        return "\n".join(lines + [f"- {remark}" for remark in self.remarks])

    def _comparison_table(self, group: str) -> str:
        comparisons = [comparison for comparison in self.comparisons if comparison.group == group]
        targets = dict.fromkeys(name for comparison in comparisons for name in comparison.targets)
        names = [
            name for name in targets if any(_rate(comparison, name) for comparison in comparisons)
        ]
        head = ["case", SAMSYN, *names]
        rows = [
            [
                comparison.name,
                _rate(comparison, SAMSYN),
                *(_compared(comparison, name) for name in names),
            ]
            for comparison in comparisons
        ]
        note = (
            "Medians of the rounds; in brackets how many times as many SamSyn gives, and how many"
            " it is to give."
        )
        return f"{_table(head, rows)}\n\n{note}"

    def _check_table(self) -> str:
        rows = [
            [
                check.name,
                f"{check.value:,.3g} {check.unit}".strip(),
                f"{check.relation} {check.target:g}",
                "yes" if check.is_met else "**no**",
            ]
            for check in self.checks
        ]
        return _table(["figure", "measured", "target", "met"], rows)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _in_line(text: str) -> str:
    return " ".join(text.split())


def _rate(comparison: Comparison, name: str) -> str:
    rate, fault = comparison.median(name), comparison.faults.get(name)
    if rate is None:
        return fault or ""
    return f"{rate:,.4g}" + (f" ({fault})" if fault else "")


def _compared(comparison: Comparison, name: str) -> str:
    ratio, target = comparison.ratio(name), comparison.targets.get(name)
    if ratio is None:
        return _rate(comparison, name)
    if target is None:
        return f"{_rate(comparison, name)} (× {ratio:.3g})"
    bound = f"× {ratio:.3g}, ≥ {target:g}"
    return (
        f"{_rate(comparison, name)} ({bound})"
        if ratio >= target
        else f"{_rate(comparison, name)} (**{bound}**)"
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine_facts() -> dict[str, str]:
    """Return facts of the machine, and its load from other processes over three seconds."""
    cpu = _field(Path("/proc/cpuinfo"), "model name") or platform.processor()
    memory = int((_field(Path("/proc/meminfo"), "MemTotal") or "0 kB").split()[0]) // 1024
    cores = len(os.sched_getaffinity(0))
    return {
        "processor": cpu,
        "cores": str(cores),
        "memory": f"{memory} MB",
        "system": platform.platform(),
        "busy before": f"{_busy_share(3):.0%}",
    }


def _busy_share(seconds: float) -> float:
    """Return the share of the processors' time that was busy."""
    before = _processor_times()
    time.sleep(seconds)
    spent = [after - start for after, start in zip(_processor_times(), before, strict=True)]
    return 1 - (spent[3] + spent[4]) / sum(spent)  # idle, and waiting for disks


def _processor_times() -> list[int]:
    line = Path("/proc/stat").read_text().splitlines()[0]
    return [int(field_text) for field_text in line.split()[1:9]]


def _field(file: Path, name: str) -> str | None:
    for line in file.read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return None


def store(report: Report, folder: Path) -> list[Path]:
    """Write a run's JSON and table, named by when it started; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{report.started:%Y-%m-%d-%H%M}"
    files = [folder / f"{name}.json", folder / f"{name}.md"]
    files[0].write_text(json.dumps(report.document(), indent=1, ensure_ascii=False) + "\n")
    files[1].write_text(report.markdown())
    return files
