"""The layout: imports point one way between packages, and form no circle between folders."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ["samsyn_model", "samsyn_provider", "samsyn_admin"]
HTTP = {"flask", "werkzeug", "gunicorn", "http", "wsgiref", "requests"}
FORBIDDEN = {
    "samsyn_model": {"samsyn_provider", "samsyn_admin", "pygeoapi", *HTTP},
    "samsyn_provider": {"samsyn_admin"},
    "samsyn_admin": {"pygeoapi"},
}
MAX_MODULES = 12
"""How many modules a folder has at most, its `__init__.py` not counted."""
MAX_LINES = 299

Folder = str
"""A folder's path in the checkout, such as `samsyn_provider/tiles`."""


def imported_modules(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the module of every import, wherever in the source it is.

    `from package import name` gives `package.name`, which may be a module or not; a relative
    import gives what begins with a dot.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}"
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in {"import_module", "importlib.import_module", "__import__"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.lineno, str(node.args[0].value)


def imported_packages(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the top-level package of every import; `.` for a relative one."""
    for line, module in imported_modules(source):
        yield line, module.split(".")[0] or "."


def folder_of(module: str, checkout: Path) -> Folder:
    """Return the folder of the module that an import names, with or without a name behind it."""
    path = checkout.joinpath(*module.split("."))
    while not path.with_suffix(".py").is_file():
        if path.is_dir():
            return str(path.relative_to(checkout))
        path = path.parent
    return str(path.parent.relative_to(checkout))


def folder_imports(package: str, checkout: Path = CHECKOUT) -> dict[Folder, set[Folder]]:
    """Return which other folders of a package each of its folders imports from."""
    found: dict[Folder, set[Folder]] = defaultdict(set)
    for file in (checkout / package).rglob("*.py"):
        folder = str(file.parent.relative_to(checkout))
        found[folder] |= {
            folder_of(module, checkout)
            for _, module in imported_modules(file.read_text())
            if module.split(".")[0] == package
        } - {folder}
    return dict(found)


def circle(imports: dict[Folder, set[Folder]]) -> list[Folder]:
    """Return folders of which each imports from the next, and the last from the first."""
    remaining = dict(imports)
    while free := {name for name, others in remaining.items() if not others & set(remaining)}:
        remaining = {name: remaining[name] for name in remaining if name not in free}
    path: list[Folder] = []
    name = min(remaining, default="")
    while name and name not in path:
        path.append(name)
        name = min(remaining[name] & set(remaining))
    return path[path.index(name) :] if name else []


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    files = sorted((CHECKOUT / package).rglob("*.py"))
    assert len(files) > 2
    wrong = [
        f"{file.relative_to(CHECKOUT)}:{line} imports {name}"
        for file in files
        for line, name in imported_packages(file.read_text())
        if name in FORBIDDEN[package] or name == "."
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_form_no_circle(package: str) -> None:
    imports = folder_imports(package)
    assert len(imports) > 5
    assert any(imports.values())
    assert circle(imports) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_and_modules_are_seen_at_a_glance(package: str) -> None:
    folders = {file.parent for file in (CHECKOUT / package).rglob("*.py")}
    for folder in folders:
        modules = [file for file in folder.glob("*.py") if file.name != "__init__.py"]
        assert len(modules) <= MAX_MODULES, folder
        for file in modules:
            assert len(file.read_text().splitlines()) <= MAX_LINES, file


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_says_what_it_holds_and_hands_nothing_on(package: str) -> None:
    for folder in {file.parent for file in (CHECKOUT / package).rglob("*.py")}:
        content = ast.parse((folder / "__init__.py").read_text())
        docstring = ast.get_docstring(content)
        assert docstring, folder
        assert docstring.endswith("."), folder
        assert len(content.body) == 1, folder


@pytest.mark.parametrize(
    ("package", "tests"), [*zip(PACKAGES, ["model", "ogc", "api"], strict=True)]
)
def test_tests_follow_the_same_folders(package: str, tests: str) -> None:
    root = CHECKOUT / "tests" / tests
    for folder in {file.parent for file in root.rglob("test_*.py")}:
        assert (CHECKOUT / package / folder.relative_to(root)).is_dir(), folder


def test_every_way_of_importing_is_seen() -> None:
    source = """
import flask.views as f, json
from werkzeug.exceptions import NotFound
from . import permissions
def late():
    from pygeoapi import api
    import importlib; importlib.import_module("samsyn_admin.app")
"""
    names = {name for _, name in imported_packages(source)}
    assert names == {"flask", "json", "werkzeug", ".", "pygeoapi", "importlib", "samsyn_admin"}


def test_a_circle_between_folders_is_found(tmp_path: Path) -> None:
    for file, source in {
        "package/top.py": "from package.one import first",
        "package/one/first.py": "from package.two.second import name",
        "package/two/second.py": "import package.three.third",
        "package/three/third.py": "def late():\n    from package.two import second",
    }.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    imports = folder_imports("package", tmp_path)
    assert imports["package"] == {"package/one"}
    assert circle(imports) == ["package/two", "package/three"]
