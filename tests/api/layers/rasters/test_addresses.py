"""Addresses of files of ours are answered, and never stored."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine

from tests.api.imports.conftest import RunJobs
from tests.api.imports.rasters.made_rasters import layer, ramp, tiff
from tests.api.jobs.workers import rows
from tests.api.layer_requests import Caller, geotiff
from tests.api.layers.rasters.conftest import import_layer


def stored_config(engine: Engine, layer_id: str) -> dict[str, Any]:
    config: dict[str, Any]
    (row,) = rows(engine, "SELECT source_config FROM layers WHERE id = :id", id=layer_id)
    config = row.source_config
    return config


def test_the_address_is_answered_and_stays_the_same(
    owner: Caller, made: dict[str, Any], empty_database: Engine
) -> None:
    address = made["source_config"]["cogUrl"]
    assert urlsplit(address).path == f"/api/v1/layers/{made['id']}/file"
    assert urlsplit(address).query.startswith("ticket=")
    assert layer(owner, made["id"])["source_config"]["cogUrl"] == address
    assert (
        not {"url", "cogUrl", "cogUrlTemplate"} & stored_config(empty_database, made["id"]).keys()
    )


def test_the_admin_panel_changes_how_the_layer_is_drawn(
    owner: Caller, made: dict[str, Any], empty_database: Engine
) -> None:
    config = made["source_config"]
    sent = {  # as the web application's form sends it
        "delivery": "direct",
        "url": config["cogUrl"],
        "bounds": [0, 0, 1, 1],
        "processing": {"colormap": "magma", "rescale": "0,10"},
    }
    response = owner.put(made["id"], {"name": "Noise", "source_config": sent})
    assert response.status_code == 200, response.text
    assert response.json is not None
    changed = response.json["source_config"]
    assert changed == {**config, "processing": {"colormap": "magma", "rescale": "0,10"}}
    stored = stored_config(empty_database, made["id"])
    assert not {"url", "cogUrl", "cogUrlTemplate"} & stored.keys()
    assert "ticket" not in str(stored)


def test_a_layer_that_is_sent_back_is_unchanged(owner: Caller, made: dict[str, Any]) -> None:
    for method in ("PUT", "PATCH"):
        response = owner.send(method, made["id"], made)
        assert response.status_code == 200, response.text
        assert response.json == made


@pytest.mark.parametrize("name", ["url", "cogUrl", "cogUrlTemplate"])
def test_no_other_address_is_taken_for_a_file_of_ours(
    owner: Caller, made: dict[str, Any], run_jobs: RunJobs, name: str
) -> None:
    other = import_layer(owner, run_jobs, {"other.tif": tiff(ramp())})
    for address in ("https://evil.example.org/a.tif", other["source_config"]["cogUrl"]):
        for method in ("PUT", "PATCH"):
            response = owner.send(method, made["id"], {"source_config": {name: address}})
            assert response.status_code == 422
            assert response.json is not None
            assert response.json["errors"][0]["pointer"] == f"/source_config/{name}"
    assert layer(owner, made["id"]) == made


def test_what_the_file_is_cannot_be_changed(owner: Caller, made: dict[str, Any]) -> None:
    false = {"times": ["2024-01-01"], "bounds": [0, 0, 1, 1], "statistics": {}, "maxzoom": 30}
    response = owner.patch(made["id"], {"source_config": {**false, "note": "mine"}})
    assert response.status_code == 200
    assert response.json is not None
    assert response.json["source_config"] == {**made["source_config"], "note": "mine"}


def test_an_address_with_a_ticket_is_no_source_of_another_layer(
    owner: Caller, made: dict[str, Any]
) -> None:
    for name in ("url", "cogUrl", "cogUrlTemplate"):
        response = owner.post(geotiff(**{name: made["source_config"]["cogUrl"]}))
        assert response.status_code == 422
        assert response.json is not None
        assert "layer that is here already" in response.json["errors"][0]["detail"]
    remote = owner.post(geotiff(url="https://data.example.org/a.tif")).json
    assert remote is not None
    response = owner.patch(
        remote["id"], {"source_config": {"cogUrl": made["source_config"]["cogUrl"]}}
    )
    assert response.status_code == 422


def test_addresses_of_others_stay(owner: Caller) -> None:
    config = {"url": "https://data.example.org/api/v1/layers/x/file", "processing": {"bidx": "1"}}
    created = owner.post(geotiff(**config)).json
    assert created is not None
    assert created["source_config"]["url"] == config["url"]
