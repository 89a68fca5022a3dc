"""What the command says of an import: how the file was read, and what was done."""

import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from samsyn_admin import cli
from samsyn_admin.imports.sources.counts import counted
from tests.source_files import Remarks, add_user, collection, feature, load


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


def told(engine: Engine, owner: uuid.UUID, path: Path, **options: str) -> list[str]:
    remarks = Remarks()
    load(engine, owner, path, progress=remarks, **options)
    return remarks.texts


def test_encoding_and_columns_of_a_table(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("namn;lon;lat\nGöteborg;11.5;57.5\n".encode("cp1252"))
    assert told(engine, owner, path) == [
        "a: 1 feature imported",
        "a: read as WGS 84 (CRS84) (OGC:CRS84), assumed: longitude and latitude",
        "a: x and y read from the columns 'lon' and 'lat'",
        "a: texts read as Windows-1252, assumed: the texts are not UTF-8",
        "a: from 11.5 to 11.5 degrees of longitude, 57.5 to 57.5 of latitude",
    ]
    path.write_text("namn,wkt\na,POINT(1 2)\n")
    texts = told(engine, owner, path, crs="EPSG:4326", encoding="utf-8")
    assert "a: read as WGS 84 (EPSG:4326), as chosen" in texts
    assert "a: geometries read from the column 'wkt'" in texts
    assert "a: texts read as utf-8, as chosen" in texts


def test_advice_that_suits_the_format(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(collection(feature({}, (57.5, 11.5))))
    assert not any("columns" in text for text in told(engine, owner, path))
    path = tmp_path / "a.csv"
    path.write_text("x,y\n57.5,11.5\n")
    assert any("the columns of x and y" in text for text in told(engine, owner, path))
    path.write_text("x,y\n11.5,95\n")
    texts = told(engine, owner, path, crs="EPSG:4326", skip_faulty=True)  # type: ignore[arg-type]
    assert not any("--crs" in text for text in texts)


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "0 rings were closed."),
        (1, "1 ring was closed."),
        (1200, "1,200 rings were closed."),
    ],
)
def test_one_and_many(count: int, sentence: str) -> None:
    assert counted("{count} {ring was|rings were} closed.", count) == sentence


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--public"], "--public"),
        (["--global"], "--global"),
        (["--layer", str(uuid.uuid4())], "--layer"),
        (["--skip-faulty"], "--skip-faulty"),
        (["--report", "a.json"], "--report"),
    ],
)
def test_options_that_a_map_has_not(arguments: list[str], option: str) -> None:
    result = CliRunner().invoke(
        cli.main, ["import", "a.gpkg", "--owner", "a@b.c", "--map", *arguments]
    )
    assert result.exit_code == 1
    assert f"such as {option}." in result.stderr
