"""What jobs of these tests do, by their parameter `do`."""

import ctypes
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from samsyn_admin.jobs.context import JobContext
from samsyn_admin.jobs.results import store_result
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import writing
from samsyn_model.errors import Fault, InvalidBodyError

_MAKE_LAYER = """
INSERT INTO layers (name, source_type, created_by)
VALUES (%(name)s, 'vector', %(created_by)s) RETURNING id"""


def work(context: JobContext) -> dict[str, Any]:
    """Do what the parameters say."""
    parameters = context.parameters
    match parameters["do"]:
        case "answer":
            return {"answer": parameters.get("answer", 42), "process": os.getpid()}
        case "write":
            path = Path(tempfile.gettempdir()) / "file"
            path.write_bytes(b"contents")
            return {"file": store_result(context, path, parameters["name"])}
        case "sleep":
            _note_process(parameters)
            for second in range(parameters["seconds"] * 10):
                context.report(second, f"step {second}")
                time.sleep(0.1)
        case "make_layers":
            return _make_layers(context)
        case "refuse":
            raise InvalidBodyError("This does not suit.", (Fault("/crs", "There is none."),))
        case "fail":
            raise RuntimeError("secret detail")
        case "crash":
            ctypes.string_at(0)
        case "eat":
            eaten = []
            while True:
                eaten.append(b"x" * 10_000_000)
                time.sleep(0.02)
        case "exit":
            os._exit(7)
    return {}


def _make_layers(context: JobContext) -> dict[str, Any]:
    """Make as many layers as asked, slowly, in one transaction with the end of the job."""
    _note_process(context.parameters)
    (Path(tempfile.gettempdir()) / "left.bin").write_bytes(b"x" * 1000)
    made = []
    with writing(context.engine) as connection:
        for number in range(context.parameters["count"]):
            values = {"name": str(context.job_id), "created_by": context.user_id}
            made.append(str(run(connection, _MAKE_LAYER, values).scalar_one()))
            context.report(100 * number // context.parameters["count"], f"layer {number}")
            time.sleep(context.parameters.get("pause", 0.05))
        context.finish(connection, {"layers": made})
    return {}


def _note_process(parameters: dict[str, Any]) -> None:
    if "note" in parameters:
        with Path(parameters["note"]).open("a") as note:
            note.write(f"{os.getpid()}\n")
