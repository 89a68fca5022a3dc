"""The dashboard and the alert rules ask for metrics that there are."""

import json
import re
from pathlib import Path

import pytest
import yaml

from samsyn_model.settings import CHECKOUT

_SOURCES = ("samsyn_model/metrics/prometheus.py", "samsyn_admin/metrics/database.py")
_METRIC = re.compile(r"\bsamsyn_[a-z_]+")
_TYPE = re.compile(r'(Counter|Gauge|Histogram|Summary|GaugeMetricFamily)\(\s*"(samsyn_\w+)"')
_SUFFIXES = {
    "Counter": ("_total",),
    "Histogram": ("_bucket", "_sum", "_count"),
    "Summary": ("_sum", "_count"),
}


def published() -> set[str]:
    """Return the names of all samples."""
    found = [pair for source in _SOURCES for pair in _TYPE.findall((CHECKOUT / source).read_text())]
    return {f"{name}{suffix}" for kind, name in found for suffix in _SUFFIXES.get(kind, ("",))}


def expressions(path: Path) -> list[str]:
    if path.suffix == ".json":
        panels = json.loads(path.read_text())["panels"]
        return [target["expr"] for panel in panels for target in panel["targets"]]
    groups = yaml.safe_load(path.read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("name", ["grafana/samsyn.json", "prometheus/alerts.yml"])
def test_every_metric_that_is_asked_for_is_published(name: str) -> None:
    asked = [_METRIC.findall(text) for text in expressions(CHECKOUT / "deploy" / name)]
    assert len(asked) > 5
    assert {metric for metrics in asked for metric in metrics} <= published()


def test_the_documents_tell_of_every_metric_and_every_alert() -> None:
    text = (CHECKOUT / "docs" / "monitoring.md").read_text()
    told = set(re.findall(r"^\| `(samsyn_\w+)", text, re.MULTILINE))
    assert told == {re.sub(r"_(bucket|sum|count)$", "", name) for name in published()}
    groups = yaml.safe_load((CHECKOUT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"]]
    assert re.findall(r"^\| `(Samsyn\w+)", text, re.MULTILINE) == alerts
