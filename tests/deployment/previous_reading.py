"""What a release reads of the permission matrix, run by its own code and its own tests.

`python previous_reading.py DATABASE STORAGE`, in the folder of the release. In STORAGE it leaves
`found.json`: how many requests there were, and which responses are not as its matrix says. Only
names that the release has are used.
"""

import json
import sys
from pathlib import Path

from samsyn_model.database.engine import open_engine
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from tests.security.disclosure import READERS
from tests.security.permission_matrix import OPERATIONS
from tests.security.permission_world import headers_of, id_of
from tests.security.world_database import app_of

_OBJECTS, _CALLERS = 2, 4
_READY = "/api/health"  # releases up to 0.1 are not ready on the tables of others
_THERE = """
SELECT id::text FROM layers UNION ALL SELECT id::text FROM maps UNION ALL
SELECT id::text FROM comments UNION ALL SELECT id::text FROM users"""


def main(database: str, storage: str) -> None:
    """Send the requests."""
    engine = open_engine(database, prepares=True)
    with reading(engine) as connection:
        there = set(run(connection, _THERE, {}).scalars())
    client = app_of(engine, Path(storage)).test_client(use_cookies=False)
    count, wrong, callers = 0, [], READERS[:: len(READERS) // _CALLERS]
    for operation in OPERATIONS:
        if operation.method != "GET" or operation.path == _READY:
            continue
        step = max(1, len(operation.objects) // _OBJECTS)
        for target in operation.objects[::step]:
            if hasattr(target, "name") and str(id_of(target)) not in there:
                continue  # it is of another world
            for caller in callers:
                response = client.get(operation.address(target), headers=headers_of(caller))
                status, expected = response.status_code, operation.expected_status(caller, target)
                response.close()
                count += 1
                if status != expected:
                    told = f"{operation} {target}, {caller.name}: {status} instead of {expected}"
                    wrong.append(told)
    Path(storage, "found.json").write_text(json.dumps({"requests": count, "wrong": wrong}))
    engine.dispose()


main(*sys.argv[1:])
