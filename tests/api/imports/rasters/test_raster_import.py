"""Rasters become layers that are drawn from cloud-optimised GeoTIFFs."""

import numpy as np
import pytest
from sqlalchemy import Engine

from samsyn_admin.storage.storage import open_storage
from samsyn_model.settings import Settings
from tests.api.imports.rasters.conftest import RunJobs
from tests.api.imports.rasters.made_rasters import act, layer, ramp, tiff
from tests.api.imports.upload_requests import read, uploaded
from tests.api.jobs.workers import rows
from tests.api.layer_requests import Caller


def test_a_geotiff_is_looked_at(owner: Caller, run_jobs: RunJobs) -> None:
    created = uploaded(owner, {"depth.tif": tiff(ramp(), nodata=0)})
    run_jobs()
    found = read(owner, created["id"])
    assert found["status"] == "inspected", found["job"]
    (inspected,) = found["inspection"]["layers"]
    print(found)
    job, found = act(owner, run_jobs, created["id"], "commit")
    print(job, found["report"])
    print(layer(owner, found["report"]["layers"][0]["layer_id"]))
    assert 0
