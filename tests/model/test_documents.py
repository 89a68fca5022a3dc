"""The documents about the code, against the code."""

import re

import pytest

from samsyn_model.settings import CHECKOUT
from samsyn_model.tables import Base

ARCHITECTURE = (CHECKOUT / "docs" / "architecture.md").read_text()
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("package", ["samsyn_model", "samsyn_provider", "samsyn_admin"])
def test_every_file_has_its_line(package: str) -> None:
    section = re.search(rf"^### `{package}/`.*?(?=^#)", ARCHITECTURE, re.DOTALL | re.MULTILINE)
    assert section
    named = re.findall(r"^\| `(\w+\.py)` \| \S", section[0], re.MULTILINE)
    present = [file.name for file in (CHECKOUT / package).glob("*.py")]
    assert sorted([*named, "__init__.py"]) == sorted(present)


def test_every_path_that_is_named_exists() -> None:
    named = re.findall(r"`((?:samsyn_\w+|tests|docs|openapi|migrations)/[\w/.]*)`", ARCHITECTURE)
    assert len(named) > 20
    assert [path for path in named if not (CHECKOUT / path).exists()] == []


def test_every_table_is_drawn() -> None:
    described = re.findall(r"^\| `(\w+)` \| ", ARCHITECTURE, re.MULTILINE)
    assert set(Base.metadata.tables) <= set(described)
    drawn = set(re.findall(r"^    (\w+) [|o}{-]+ (\w+) :", ARCHITECTURE, re.MULTILINE))
    expected = {
        (key.column.table.name, table.name)
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.parent.name not in {"invited_by", "resolved_by"}
    }
    unenforced = {("layers", "layer_features"), ("layer_features", "property_values")}
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
