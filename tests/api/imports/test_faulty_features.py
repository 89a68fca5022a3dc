"""Features that cannot be stored: all are found, and fail the import or are skipped."""

import csv
import json
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from samsyn_admin import cli
from samsyn_admin.imports.loading.report import FaultyFeaturesError
from samsyn_model.features.faults import MAX_FAULTS
from tests.source_files import Remarks, add_user, collection, feature, features_of, load, stored


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.geojson"
    path.write_text(
        collection(
            feature({"n": 1}),
            feature({"n": 2}, (200, 0), id="far"),
            feature({"n": 3, "t": "a\0b"}),
            feature({"n": 4}),
            feature({"n": 5}, (0, 95)),
        )
    )
    return path


def test_all_faults_are_found_and_nothing_is_stored(
    engine: Engine, owner: uuid.UUID, faulty: Path
) -> None:
    with pytest.raises(
        FaultyFeaturesError, match=r"^Feature 2 \(id far\) .*2 more faults"
    ) as error:
        load(engine, owner, faulty)
    found = error.value.feature_faults
    assert found.count == 3
    assert [(row.fault.number, row.fault.feature_id) for row in found.faults] == [
        *((2, "far"), (3, None), (5, None))
    ]
    assert [row["layer"] for row in found.as_json()] == ["faulty"] * 3
    assert stored(engine) == (0, 0)
    with engine.connect() as connection:
        assert not connection.execute(text("SELECT count(*) FROM imports")).scalar_one()


def test_faulty_features_are_skipped(engine: Engine, owner: uuid.UUID, faulty: Path) -> None:
    [layer] = load(engine, owner, faulty, skip_faulty=True)
    assert (layer.inserted, layer.skipped, layer.feature_count) == (2, 3, 2)
    assert [properties["n"] for _, properties in features_of(engine, layer.layer_id)] == [1, 4]
    assert layer.extent == (12.5, 57.25, 12.5, 57.25)


def test_ids_that_the_database_cannot_store_are_told(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(feature({}, (200, 0), id="a\0\ud800\\u0000b")) + "\n")
    path.write_text('{"type": "FeatureCollection", "features": [' + path.read_text() + "]}")
    [layer] = load(engine, owner, path, skip_faulty=True)
    assert layer.skipped == 1
    with engine.connect() as connection:
        faults = connection.execute(text("SELECT faults FROM imports")).scalar_one()
    assert faults[0]["feature_id"] == "a\ufffd\ufffd\\u0000b"
    path.write_text(collection(feature({"a": 1}, id="\\u0000")))
    [layer] = load(engine, owner, path)
    path.write_text(collection(feature({"a": "x"}, id="\\u0000")))
    [again] = load(engine, owner, path, layer_id=layer.layer_id, skip_faulty=True)
    assert again.inserted == 1


def test_faults_of_several_layers_and_of_many_features(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    path = tmp_path / "many.geojsonl"
    lines = [json.dumps(feature({"n": n}, (200, 0))) for n in range(MAX_FAULTS + 1500)]
    path.write_text("\n".join([*lines, json.dumps(feature({"n": -1}))]))
    with pytest.raises(FaultyFeaturesError) as error:
        load(engine, owner, path)
    assert (error.value.feature_faults.count, len(error.value.feature_faults.faults)) == (
        *(MAX_FAULTS + 1500, MAX_FAULTS),
    )
    [layer] = load(engine, owner, path, skip_faulty=True)
    assert (layer.skipped, layer.feature_count) == (MAX_FAULTS + 1500, 1)


def test_the_command_writes_a_report(  # noqa: PLR0917 - fixtures
    engine: Engine,
    owner: uuid.UUID,
    faulty: Path,
    test_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("DATABASE_URL", test_database_url)
    arguments = ["import", str(faulty), "--owner", "a@example.org"]
    report = tmp_path / "report.csv"
    refused = CliRunner().invoke(cli.main, [*arguments, "--report", str(report)])
    assert refused.exit_code == 1
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["number"], row["feature_id"]) for row in rows] == [
        ("2", "far"),
        ("3", ""),
        ("5", ""),
    ]
    assert "longitude 200" in rows[0]["reason"]
    document = tmp_path / "report.json"
    done = CliRunner().invoke(cli.main, [*arguments, "--skip-faulty", "--report", str(document)])
    assert done.exit_code == 0, done.output
    written = json.loads(document.read_text())
    assert (written["fault_count"], written["layers"][0]["inserted"]) == (3, 2)
    assert written["layers"][0]["layer_id"] == done.stdout.strip()
    assert "WGS 84" in done.stderr
    assert "12.5 to 12.5 degrees of longitude" in done.stderr
    undone = CliRunner().invoke(
        cli.main, ["undo-import", written["import_id"], "--owner", "a@example.org"]
    )
    assert undone.exit_code == 0, undone.output
    assert stored(engine) == (0, 0)
    other = CliRunner().invoke(cli.main, [*arguments, "--report", "report.txt"])
    assert (other.exit_code, stored(engine)) == (1, (0, 0))


def test_what_is_left_out_or_left_empty_is_told(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(collection(feature({"n": 1.5, "name": "a"})))
    [layer] = load(engine, owner, path)
    path.write_text(
        collection(
            *(feature({"n": "deep", "name": "b"}), feature({"n": "x", "name": "c"})),
            feature({"n": 2, "name": "d"}, (400, 1)),
        )
    )
    remarks = Remarks()
    options = {"layer_id": layer.layer_id, "skip_faulty": True, "progress": remarks}
    [again] = load(engine, owner, path, **options)
    assert (again.inserted, again.skipped, again.emptied) == (2, 1, 2)
    assert remarks.texts[0] == "a: 2 features imported, 1 skipped, 2 values left empty"
    told = "\n".join(remarks.texts)
    assert "warning: a: 1 feature was left out: Feature 3 cannot be stored: " in told
    assert (
        "warning: a: 2 values were left empty, the first: Feature 1 has a value of 'n' that cannot"
        " be stored: " in told
    )
