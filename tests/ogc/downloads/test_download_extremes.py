"""Downloads of extreme values, of layers that change, and by clients that disconnect."""

import fcntl
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from samsyn_provider.downloads.tables import columns
from samsyn_provider.downloads.tables.statements import select_rows
from samsyn_provider.http.formats import FORMATS
from tests.ogc.downloads.test_downloads import READERS
from tests.statements import statements

Layer = Callable[..., str]

EUROPE = "http://www.opengis.net/def/crs/EPSG/0/3035"
FILES = sorted(FORMATS.keys() - {"geojson", "geojsonseq", "jsonfg"})


@pytest.fixture
def many(layer: Layer, empty_database: Engine) -> str:
    """The path of 5,000 points: more than one batch."""
    layer_id = layer(fields={"n": {"type": "integer"}})
    statement = text(
        "INSERT INTO layer_features (layer_id, geom, properties) SELECT :layer,"
        " ST_SetSRID(ST_MakePoint(n % 90, 1), 4326), jsonb_build_object('n', n)"
        " FROM generate_series(1, 5000) AS n"
    )
    with empty_database.begin() as connection:
        connection.execute(statement, {"layer": layer_id})
    return f"/ogc/collections/{layer_id}/items"


@pytest.mark.parametrize("code", sorted(FORMATS))
def test_many_features_are_read_in_batches(
    client: FlaskClient, many: str, code: str, tmp_path: Path
) -> None:
    page = "&limit=5000" if code == "geojson" else ""  # which it is with an offset
    for number, (query, expected) in enumerate(
        (
            ("", range(1, 5001)),
            ("&limit=2500", range(1, 2501)),
            ("&sortby=-n", range(5000, 0, -1)),
            (f"&sortby=-n&filter=n<=4200&offset=3{page}", range(4197, 0, -1)),
        )
    ):
        response = client.get(f"{many}?f={code}{query}")
        assert response.status_code == 200, response.text
        rows = READERS[code](response.data, tmp_path / f"{number}.{code}")
        numbers = [int(row[2]["n"]) for row in rows]
        # the rows of a GeoPackage have no order but that of their ids
        assert numbers == (sorted(expected) if code == "gpkg" else list(expected)), query


def test_a_download_while_features_change(many: str, empty_database: Engine) -> None:
    client = create_app(Settings(_env_file=None), empty_database).test_client()
    response = client.get(f"{many}?f=geojsonseq")
    parts: Iterator[str | bytes] = iter(response.response)
    received = [next(parts)]
    with empty_database.begin() as connection:
        connection.execute(text("DELETE FROM layer_features WHERE properties @> '{\"n\": 4999}'"))
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, geom, properties)"
                " SELECT layer_id, geom, '{\"n\": 9999}' FROM layer_features LIMIT 1"
            )
        )
    received += list(parts)
    content = b"".join(part.encode() if isinstance(part, str) else part for part in received)
    numbers = [json.loads(part)["properties"]["n"] for part in content[1:].split(b"\x1e")]
    assert numbers == [n for n in range(1, 5001) if n != 4999]


@pytest.mark.parametrize("code", sorted(FORMATS))
def test_statements_do_not_grow_with_the_features(
    client: FlaskClient, many: str, code: str
) -> None:
    counts = []
    for number in (1, 900):  # in one batch
        with statements() as sent:
            response = client.get(f"{many}?f={code}&filter=n <= {number}")
            assert response.data
        counts.append(len(sent))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("code", FILES)
def test_a_client_that_disconnects_frees_its_slot(
    client: FlaskClient, many: str, code: str
) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        waiting = client.get(f"{many}?f={code}", environ_overrides={"gunicorn.socket": ours})
        assert waiting.status_code == 200
        theirs.close()
        for _ in range(3):  # more often than there are file slots
            left = client.get(f"{many}?f={code}", environ_overrides={"gunicorn.socket": ours})
            assert left.status_code == 400
    assert client.get(f"{many}?f={code}").status_code == 200


@pytest.mark.parametrize("code", FILES)
def test_a_client_that_disconnects_leaves_no_file(
    client: FlaskClient,
    many: str,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the features are read, and while the file is sent."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ours, theirs = socket.socketpair()
    read = 0

    def select_rows_closing(*arguments: Any, **options: Any) -> Any:
        nonlocal read
        read += 1
        if read == 3:
            theirs.close()
        return select_rows(*arguments, **options)

    monkeypatch.setattr(columns, "select_rows", select_rows_closing)
    with ours:
        left = client.get(f"{many}?f={code}", environ_overrides={"gunicorn.socket": ours})
        assert left.status_code == 400
    assert read == 3, "nothing is read for a client that has left"
    assert list(tmp_path.iterdir()) == []
    sent = client.get(f"{many}?f={code}")
    assert next(iter(sent.response))
    assert list(tmp_path.iterdir()) == []
    sent.close()


@pytest.mark.parametrize("code", sorted(FORMATS.keys() - {"geojsonseq", "kml"}))
def test_a_position_outside_the_crs_is_an_error(
    client: FlaskClient, layer: Layer, code: str
) -> None:
    layer_id = layer([("POINT(12 57)", {}), ("POINT(-170 -52)", {})])
    address = f"/ogc/collections/{layer_id}/items?f={code}&crs={EUROPE}"
    response = client.get(address)
    assert response.status_code == 400
    assert "CRS" in response.json["detail"]  # type: ignore[index]


@pytest.mark.parametrize("code", sorted(FORMATS))
def test_values_and_names_at_the_edge(
    client: FlaskClient, layer: Layer, code: str, tmp_path: Path
) -> None:
    fields = {
        "seen": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
    }
    features = [
        ("POINT(1 1)", {"seen": "0001-01-01T00:00:00+05:00", "day": "0001-01-01"}),
        ("POINT(1 2)", {"seen": "9999-12-31T23:59:59-05:00", "day": "9999-12-31"}),
        ("POINT(1 3)", {"large": 10**400, "whole": 2**63 - 1, "tiny": 1e-320}),
        ("POINT(1 4)", {"large": -(10**400), "whole": -(2**63) + 1}),
        ("POINT(1 5)", {"": "no name", '"; <&>\n': "\x01 ]]> \x7f \ufffe", "é" * 300: "long"}),
        ("POINT(1 6)", {"ogc_fid": 1, "rowid": "r", "FID": "f", "Id": "i", "geom": 2, "Name": "N"}),
    ]
    layer_id = layer(features, fields=fields)
    response = client.get(f"/ogc/collections/{layer_id}/items?f={code}")
    assert response.status_code == 200, response.text
    rows = READERS[code](response.data, tmp_path / f"edge.{code}")
    assert len(rows) == len(features)
    assert str(rows[0][2]["seen"]) == "0001-01-01T00:00:00+05:00"
    if code == "parquet":
        assert [row[2]["whole"] for row in rows[2:4]] == [2**63 - 1, -(2**63) + 1]
        assert rows[2][2]["large"] == float("inf")
        assert rows[1][2]["day"].isoformat() == "9999-12-31"


@pytest.mark.parametrize("code", sorted(FORMATS))
def test_many_properties(client: FlaskClient, layer: Layer, code: str) -> None:
    most = {"shp": 254, "jsonfg": 2500, "geojson": 2500, "geojsonseq": 2500}
    for count in (1000, 2500):
        layer_id = layer([("POINT(1 1)", {f"p{n}": n for n in range(count)})])
        response = client.get(f"/ogc/collections/{layer_id}/items?f={code}")
        if count > most.get(code, 1000):
            assert response.status_code == 400
            assert "properties" in response.json["detail"]  # type: ignore[index]
        else:
            assert response.status_code == 200, response.text


def test_what_killed_processes_have_left_is_removed(
    client: FlaskClient, many: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    in_use, left_over, other = (
        tmp_path / name for name in ("samsyn-download-live", "samsyn-download-dead", "others")
    )
    for folder in (in_use, left_over, other):
        folder.mkdir()
        (folder / "features").write_text("features")
    descriptor = os.open(in_use, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert client.get(f"{many}?f=fgb").status_code == 200
    finally:
        os.close(descriptor)
    assert {path.name for path in tmp_path.iterdir()} == {"samsyn-download-live", "others"}
    assert (in_use / "features").exists()
