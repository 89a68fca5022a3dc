"""Taking imports back: all as it was, unless something has changed since."""

import json
import os
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.file_import import import_file, run_import
from samsyn_admin.imports.loading.report import FaultyFeaturesError, ImportReport, UndoReport
from samsyn_admin.imports.loading.undo import undo_import
from samsyn_model.errors import (
    ConflictError,
    LimitReachedError,
    NotFoundError,
    PermissionDeniedError,
)
from samsyn_model.settings import get_settings
from tests.source_files import Remarks, add_user, collection, feature, layer_row, stored


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.geojson"


class Imports:
    """Imports of a user's from one file, and their undoing."""

    def __init__(self, engine: Engine, owner: uuid.UUID, path: Path) -> None:
        self.engine, self.owner, self.path = engine, owner, path

    def run(self, *features: dict[str, Any], **options: Any) -> ImportReport:
        self.path.write_text(collection(*features))
        return import_file(
            self.engine, self.path, owner_id=self.owner, progress=Remarks(), **options
        )

    def undo(self, report: ImportReport, *, force: bool = False) -> UndoReport:
        return undo_import(
            self.engine, report.import_id, self.owner, force=force, progress=Remarks()
        )

    def rows(self, layer_id: uuid.UUID) -> list[tuple[Any, ...]]:
        """Return a layer's features without versions and times of updates."""
        statement = (
            "SELECT id, ST_AsEWKT(geom), properties, created_by, updated_by, created_at"
            " FROM layer_features WHERE layer_id = :layer ORDER BY id"
        )
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), {"layer": layer_id})]

    def write(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)


@pytest.fixture
def imports(empty_database: Engine, owner: uuid.UUID, path: Path) -> Imports:
    return Imports(empty_database, owner, path)


def start(imports: Imports) -> uuid.UUID:
    names = ("same", "changed", "gone")
    report = imports.run(*(feature({"name": n, "n": i}, (i, i)) for i, n in enumerate(names)))
    return report.layers[0].layer_id


def test_heights_are_put_back(imports: Imports) -> None:
    shapes = [(1, 1, 5), (2, 2, -5)]
    report = imports.run(*(feature({"name": f"{s}"}, s) for s in shapes))
    layer_id = report.layers[0].layer_id
    before = imports.rows(layer_id)
    changed = feature({"name": f"{shapes[0]}"}, (1, 1.5, 6))
    report = imports.run(changed, layer_id=layer_id, replace=True)
    assert (report.layers[0].updated, report.layers[0].deleted) == (1, 1)
    imports.undo(report)
    assert imports.rows(layer_id) == before


REPLACEMENT = (
    feature({"name": "same", "n": 0}, (0, 0)),
    feature({"name": "changed", "n": 11}, (5, 5)),
    feature({"name": "new", "n": 3}, (3, 3)),
)


def test_a_new_layer_is_deleted_and_a_second_time_nothing_happens(imports: Imports) -> None:
    report = imports.run(feature({"n": 1}))
    assert imports.undo(report).layers_deleted == 1
    assert stored(imports.engine) == (0, 0)
    assert imports.undo(report) == UndoReport(report.import_id)


def test_replacing_is_taken_back(imports: Imports) -> None:
    layer_id = start(imports)
    before = imports.rows(layer_id)
    report = imports.run(*REPLACEMENT, layer_id=layer_id, replace=True)
    assert imports.rows(layer_id) != before
    undone = imports.undo(report)
    assert (undone.deleted, undone.restored, undone.kept) == (1, 2, ())
    assert imports.rows(layer_id) == before
    with imports.engine.connect() as connection:
        versions = connection.execute(text("SELECT version FROM layer_features ORDER BY id"))
        assert list(versions.scalars()) == [1, 3, 2]
        assert not connection.execute(text("SELECT count(*) FROM import_changes")).scalar_one()


def test_appending_and_its_types_are_taken_back(imports: Imports) -> None:
    layer_id = imports.run(feature({"n": None})).layers[0].layer_id
    before = imports.rows(layer_id), layer_row(imports.engine, layer_id).property_schema
    report = imports.run(feature({"n": 1}), feature({"n": 2}), layer_id=layer_id)
    assert layer_row(imports.engine, layer_id).property_schema != before[1]
    assert imports.undo(report).deleted == 2
    assert (imports.rows(layer_id), layer_row(imports.engine, layer_id).property_schema) == before


def test_features_that_have_changed_since_are_named_and_kept(imports: Imports) -> None:
    layer_id = start(imports)
    before = imports.rows(layer_id)
    report = imports.run(*REPLACEMENT, layer_id=layer_id, replace=True)
    new, changed = imports.rows(layer_id)[-1][0], before[1][0]
    imports.write("UPDATE layer_features SET properties = '{\"n\": 99}' WHERE id = :id", id=new)
    imports.write("DELETE FROM layer_features WHERE id = :id", id=changed)
    with pytest.raises(ConflictError, match="2 of its features") as error:
        imports.undo(report)
    [fault] = error.value.faults
    assert fault.pointer == f"/layers/{layer_id}"
    assert f"ids {changed}, {new}" in fault.detail
    undone = imports.undo(report, force=True)
    assert (undone.deleted, undone.restored) == (0, 1)
    assert [change["feature_ids"] for change in undone.kept] == [[changed, new]]
    rows = imports.rows(layer_id)
    assert [rows[0], rows[1]] == [before[0], before[2]]
    assert rows[2][:3] == (new, "SRID=4326;POINT(3 3)", {"n": 99})


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE layer_features SET geom = NULL WHERE layer_id = :layer", "its features"),
        ("UPDATE layers SET name = 'renamed' WHERE id = :layer", "its definition"),
        (
            "WITH made AS (INSERT INTO maps (name, created_by) VALUES ('m', :other) RETURNING id)"
            ' INSERT INTO map_layers (map_id, layer_id, "order") SELECT id, :layer, 1 FROM made',
            "a map of somebody else",
        ),
        (
            "INSERT INTO comments (layer_id, author_id, content) VALUES (:layer, :other, 'c')",
            "comments",
        ),
    ],
)
def test_a_new_layer_that_has_changed_since_is_kept(
    imports: Imports, statement: str, reason: str
) -> None:
    report = imports.run(feature({"n": 1}))
    values = {"layer": report.layers[0].layer_id, "other": add_user(imports.engine)}
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    imports.write(statement, **used)
    with pytest.raises(ConflictError, match=reason):
        imports.undo(report)
    undone = imports.undo(report, force=True)
    assert (undone.layers_deleted, len(undone.kept)) == (0, 1)
    assert stored(imports.engine) == (1, 1)


def test_layers_of_others_imports_and_unknown_ones(imports: Imports) -> None:
    report = imports.run(feature({"n": 1}))
    with pytest.raises(NotFoundError):
        undo_import(imports.engine, report.import_id, add_user(imports.engine), progress=Remarks())
    with pytest.raises(NotFoundError):
        undo_import(imports.engine, uuid.uuid4(), imports.owner, progress=Remarks())


def test_who_may_not_write_any_more_takes_nothing_back(imports: Imports) -> None:
    stranger = Imports(imports.engine, add_user(imports.engine), imports.path)
    layer_id = stranger.run(feature({"n": 1})).layers[0].layer_id
    report = imports.run(feature({"n": 2}), layer_id=layer_id)  # by an operator
    with pytest.raises(PermissionDeniedError):
        imports.undo(report)
    assert len(imports.rows(layer_id)) == 2
    undone = undo_import(
        imports.engine, report.import_id, imports.owner, progress=Remarks(), checks_rights=False
    )
    assert (undone.deleted, len(imports.rows(layer_id))) == (1, 1)


def add_upload(imports: Imports) -> uuid.UUID:
    import_id = uuid.uuid4()
    imports.write(
        "INSERT INTO imports (id, user_id, name, status, files)"
        " VALUES (:id, :user, 'a', 'inspected', '[{}]')",
        id=import_id,
        user=imports.owner,
    )
    return import_id


def upload(imports: Imports, import_id: uuid.UUID, **choices: Any) -> ImportReport:
    return run_import(
        imports.engine,
        imports.path,
        ImportChoices.model_validate(choices),
        imports.owner,
        import_id=import_id,
        progress=Remarks(),
        deadline=time.monotonic() + 100,
    )


def test_an_upload_has_the_rights_of_its_owner(imports: Imports) -> None:
    imports.path.write_text(collection(feature({"n": 1})))
    import_id = add_upload(imports)
    with pytest.raises(PermissionDeniedError):
        upload(imports, import_id, is_global=True)
    stranger = Imports(imports.engine, add_user(imports.engine), imports.path)
    layer_id = stranger.run(feature({"n": 1})).layers[0].layer_id
    with pytest.raises(NotFoundError):
        upload(imports, import_id, mode="append", layer_id=layer_id)
    with pytest.raises(NotFoundError):
        upload(stranger, import_id)
    report = upload(imports, import_id)
    assert report.import_id == import_id
    with pytest.raises(ConflictError):
        upload(imports, import_id)
    imports.undo(report)
    assert upload(imports, import_id).layers[0].inserted == 1


def test_an_upload_counts_towards_the_quotas(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports.path.write_text(collection(feature({"n": 1}), feature({"n": 2})))
    import_id = add_upload(imports)
    limited = get_settings().model_copy(update={"max_features_per_layer": 1})
    monkeypatch.setattr("samsyn_admin.imports.loading.file_import.get_settings", lambda: limited)
    with pytest.raises(LimitReachedError):
        upload(imports, import_id)
    assert stored(imports.engine) == (0, 0)


def test_a_failed_upload_keeps_its_faults(imports: Imports) -> None:
    imports.path.write_text(collection(feature({"n": 1}), feature({"n": 2}, (0, 95))))
    import_id = add_upload(imports)
    with pytest.raises(FaultyFeaturesError):
        upload(imports, import_id)
    with imports.engine.connect() as connection:
        row = connection.execute(text("SELECT status, faults, report FROM imports")).one()
    assert (row.status, row.report["fault_count"], row.faults[0]["number"]) == ("inspected", 1, 2)


PROGRAM = """
import uuid
from pathlib import Path
from samsyn_admin.imports.loading.file_import import import_file
from samsyn_model.database.engine import open_engine

class Loud:
    def start(self, name, total): print(name, flush=True)
    def remark(self, text): pass
    def advance(self, count): pass

import_file(open_engine({url!r}), Path({path!r}), owner_id=uuid.UUID({owner!r}),
            layer_id=uuid.UUID({layer!r}), replace=True, progress=Loud())
"""


def test_killed_while_a_layer_is_replaced(imports: Imports, test_database_url: str) -> None:
    """SIGKILL while features are written leaves the layer as it was, and no record."""
    layer_id = start(imports)
    before = imports.rows(layer_id)
    path = imports.path.with_suffix(".geojsonl")
    path.write_text("\n".join(json.dumps(feature({"name": f"{n}"})) for n in range(60_000)))
    values = {"url": test_database_url, "path": str(path), "owner": str(imports.owner)}
    program = textwrap.dedent(PROGRAM.format(**values, layer=str(layer_id)))
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "a\n"
    assert process.stdout.readline() == "a: writing\n"
    process.kill()
    process.wait()
    process.stdout.close()
    imports.write("SELECT FROM layers FOR UPDATE")  # waits for the transaction that was cut off
    assert imports.rows(layer_id) == before
    with imports.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM imports")).scalar_one() == 1
