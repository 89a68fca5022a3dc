"""Imports point one way: samsyn_admin -> samsyn_provider -> samsyn_model."""

import ast
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


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the top-level package of every import, wherever in the source it is."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." if node.level else (node.module or "").split(".")[0]
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in {"import_module", "importlib.import_module", "__import__"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.lineno, str(node.args[0].value).split(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    files = sorted((CHECKOUT / package).rglob("*.py"))
    assert len(files) > 2
    wrong = [
        f"{file.relative_to(CHECKOUT)}:{line} imports {name}"
        for file in files
        for line, name in imported(file.read_text())
        if name in FORBIDDEN[package] or name == "."
    ]
    assert wrong == []


def test_every_way_of_importing_is_seen() -> None:
    source = """
import flask.views as f, json
from werkzeug.exceptions import NotFound
from . import permissions
def late():
    from pygeoapi import api
    import importlib; importlib.import_module("samsyn_admin.app")
"""
    names = {name for _, name in imported(source)}
    assert names == {"flask", "json", "werkzeug", ".", "pygeoapi", "importlib", "samsyn_admin"}
