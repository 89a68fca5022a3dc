"""Clients list all collections when these fill more than a page."""

import shutil
import uuid
from collections.abc import Iterator

import pytest
import requests
from sqlalchemy import delete, insert, select

from samsyn_model.database.engine import open_engine
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.users import User
from tests.clients.gdal_programs import Commands, Wheel
from tests.clients.qgis_session import Qgis
from tests.clients.samsyn_server import OWNER, Server

MANY = 230


@pytest.fixture(scope="module")
def many_layers(server: Server, areas: str) -> Iterator[set[str]]:
    """The ids of so many public layers that they fill more than a page."""
    ids = [uuid.uuid4() for _ in range(MANY)]
    engine = open_engine(server.database)
    owner = select(User.id).where(User.email == OWNER).scalar_subquery()
    common = {
        "source_type": "vector",
        "visibility": "public",
        "geometry_type": "Point",
        "property_schema": {"type": "object", "properties": {"name": {"type": "string"}}},
        "created_by": owner,
    }
    rows = [{"id": layer_id, "name": f"Lager {n}", **common} for n, layer_id in enumerate(ids)]
    try:
        with engine.begin() as connection:
            connection.execute(insert(Layer).values(rows))
        page = requests.get(f"{server.ogc}/collections", params={"f": "json"}, timeout=30).json()
        assert "next" in [link["rel"] for link in page["links"]], "all collections fit on one page"
        yield set(map(str, ids))
    finally:
        with engine.begin() as connection:
            connection.execute(delete(Layer).where(Layer.id.in_(ids)))
        engine.dispose()


def test_qgis_lists_all(server: Server, many_layers: set[str], qgis: Qgis) -> None:
    listed = [item["collection"] for item in qgis.do("browse", url=server.ogc)]
    assert many_layers < set(listed)
    assert len(listed) == len(set(listed))


def test_wheel_lists_all(server: Server, many_layers: set[str]) -> None:
    listed = Wheel().list_layers(server.ogc)
    assert many_layers < set(listed)
    assert len(listed) == len(set(listed))


def test_ogrinfo_lists_all(server: Server, many_layers: set[str]) -> None:
    if shutil.which("ogrinfo") is None:
        pytest.skip("ogrinfo is not installed (apt-get install gdal-bin)")
    listed = Commands().list_layers(server.ogc)
    assert many_layers < set(listed)
    assert len(listed) == len(set(listed))
