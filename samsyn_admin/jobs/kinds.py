"""What each kind of job runs.

The functions are named as texts, so that a process loads only those of its job: each takes a
`JobContext` and returns the job's result, an object that JSON can hold.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from sqlalchemy import Engine

from samsyn_admin.jobs.context import JobContext
from samsyn_admin.storage.storage import open_storage
from samsyn_model.settings import Settings

type JobFunction = Callable[[JobContext], dict[str, Any]]

KINDS = {
    "inspect": "samsyn_admin.imports.jobs:inspect",
    "import": "samsyn_admin.imports.jobs:commit",
    "undo": "samsyn_admin.imports.jobs:undo",
    "export_layer": "samsyn_admin.exports.jobs:export_layer",
    "export_map": "samsyn_admin.exports.jobs:export_map",
}
"""The module and the name of each kind's function."""

_EXPIRY = "samsyn_admin.imports.expiry:remove_expired"


def function_of(kind: str) -> JobFunction:
    """Return the function of a kind."""
    function: JobFunction = _named(KINDS[kind])
    return function


def remove_expired(engine: Engine, settings: Settings) -> None:
    """Remove imports that have expired, and files that are none's."""
    _named(_EXPIRY)(engine, open_storage(settings), settings)


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
