"""What each kind of job runs.

The functions are named as texts, so that a process loads only those of its job: each takes a
`JobContext` and returns the job's result, an object that JSON can hold.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from samsyn_admin.jobs.context import JobContext

type JobFunction = Callable[[JobContext], dict[str, Any]]

KINDS = {
    "inspect": "samsyn_admin.imports.jobs:inspect",
    "import": "samsyn_admin.imports.jobs:commit",
    "undo": "samsyn_admin.imports.jobs:undo",
    "export_layer": "samsyn_admin.exports.jobs:export_layer",
    "export_map": "samsyn_admin.exports.jobs:export_map",
}
"""The module and the name of each kind's function."""


def function_of(kind: str) -> JobFunction:
    """Return the function of a kind."""
    module, _, name = KINDS[kind].partition(":")
    function: JobFunction = getattr(import_module(module), name)
    return function
