"""The documents about the code, against the code."""

import re

import pytest

from samsyn_model.settings import CHECKOUT
from samsyn_model.tables.metadata import metadata
from tests.model.test_architecture import folder_imports

ARCHITECTURE = (CHECKOUT / "docs" / "architecture.md").read_text()
TABLES = (CHECKOUT / "docs" / "tables.md").read_text()
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("package", ["samsyn_model", "samsyn_provider", "samsyn_admin"])
def test_every_module_has_its_place(package: str) -> None:
    section = re.search(rf"^### `{package}/`.*?(?=^#|\Z)", ARCHITECTURE, re.DOTALL | re.MULTILINE)
    assert section
    rows = re.findall(r"^\| `([\w/]+)/` \| \S[^|]* \| (\S[^|]*) \|$", section[0], re.MULTILINE)
    named = {
        CHECKOUT / package / folder.removeprefix(package) / f"{module}.py"
        for folder, modules in rows
        for module in modules.split(", ")
    }
    present = {file for file in (CHECKOUT / package).rglob("*.py") if file.name != "__init__.py"}
    assert {str(file) for file in named} == {str(file) for file in present}


@pytest.mark.parametrize("package", ["samsyn_model", "samsyn_provider", "samsyn_admin"])
def test_folders_stand_above_those_they_import_from(package: str) -> None:
    section = re.search(rf"^### `{package}/`.*?(?=^#|\Z)", ARCHITECTURE, re.DOTALL | re.MULTILINE)
    assert section
    rows = re.findall(r"^\| `([\w/]+)/` \|", section[0], re.MULTILINE)
    order = [folder if folder == package else f"{package}/{folder}" for folder in rows]
    imports = folder_imports(package)
    assert sorted(order) == sorted(imports)
    for place, folder in enumerate(order):
        assert imports[folder] <= set(order[place + 1 :]), folder


def test_every_path_that_is_named_exists() -> None:
    named = re.findall(r"`((?:samsyn_\w+|tests|docs|openapi|migrations)/[\w/.]*)`", ARCHITECTURE)
    assert len(named) > 20
    assert [path for path in named if not (CHECKOUT / path).exists()] == []


def test_every_table_is_drawn() -> None:
    described = re.findall(r"^\| `(\w+)` \| ", TABLES, re.MULTILINE)
    assert set(metadata.tables) <= set(described)
    drawn = set(re.findall(r"^    (\w+) [|o}{-]+ (\w+) :", TABLES, re.MULTILINE))
    expected = {
        (key.column.table.name, table.name)
        for table in metadata.tables.values()
        for key in table.foreign_keys
        if key.parent.name not in {"invited_by", "resolved_by"}
    }
    unenforced = {
        ("layers", "layer_features"),
        ("layers", "layer_changes"),
        ("layer_features", "property_values"),
        ("imports", "import_changes"),
        ("layer_features", "feature_versions"),
        ("change_sets", "layer_change_sets"),
        ("layers", "comments"),
    }
    assert drawn == expected | unenforced


@pytest.mark.parametrize(
    "document",
    sorted(
        str(path.relative_to(CHECKOUT))
        for path in (*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"))
    ),
)
def test_links_lead_somewhere(document: str) -> None:
    folder = (CHECKOUT / document).parent
    targets = LINK.findall((CHECKOUT / document).read_text())
    assert [target for target in targets if not (folder / target).exists()] == []


def test_every_decision_is_listed() -> None:
    folder = CHECKOUT / "docs" / "decisions"
    listed = re.findall(r"^\| \[([\w-]+\.md)\]", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted([*listed, "README.md"]) == sorted(path.name for path in folder.glob("*.md"))
