"""Runs the query of its argument in DuckDB, with a token if there is one; prints rows as JSON.

It runs under the Python of scripts/install-clients.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import duckdb


def main():
    """Load the extensions from their packages, since nothing is downloaded, and run the query."""
    task = json.loads(sys.argv[1])
    connection = duckdb.connect()
    for name in ("spatial", "httpfs"):
        folder = Path(find_spec(f"duckdb_extension_{name}").submodule_search_locations[0])
        (extension,) = folder.rglob("*.duckdb_extension")
        connection.execute(f"LOAD '{extension}'")
    if task.get("token"):
        connection.execute(f"CREATE SECRET (TYPE http, BEARER_TOKEN '{task['token']}')")
    result = connection.execute(task["query"])
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    sys.stdout.write(json.dumps(rows, default=str))


main()
