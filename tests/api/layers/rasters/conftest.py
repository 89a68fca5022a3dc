"""Layers that are drawn from files of ours, as imports make them."""

from typing import Any

import pytest

from tests.api.imports.conftest import RunJobs, app, run_jobs, settings
from tests.api.imports.rasters.made_rasters import act, layer, ramp, tiff
from tests.api.imports.upload_requests import uploaded
from tests.api.layer_requests import Caller

__all__ = ["app", "run_jobs", "settings"]


@pytest.fixture
def content() -> bytes:
    return tiff(ramp(), nodata=0)


@pytest.fixture
def made(owner: Caller, run_jobs: RunJobs, content: bytes) -> dict[str, Any]:
    """A private layer of one file."""
    return import_layer(owner, run_jobs, {"noise.tif": content})


def import_layer(
    caller: Caller, run_jobs: RunJobs, files: dict[str, bytes], **choices: Any
) -> dict[str, Any]:
    """Import rasters as one layer, and return it."""
    created = uploaded(caller, files)
    run_jobs()
    job, found = act(caller, run_jobs, created["id"], "commit", **choices)
    assert job["status"] == "successful", job
    return layer(caller, found["report"]["layers"][0]["layer_id"])
