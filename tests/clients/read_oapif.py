"""Read a layer through the OAPIF driver of pyogrio's GDAL; write it to stdout as an Arrow stream.

A process of its own, as GDAL keeps its HTTP configuration and credentials for the whole process.
"""

import json
import sys

import pyarrow as pa
import pyogrio


def main() -> None:
    """Do what the JSON object in the first argument says: `source`, perhaps `layer`, ..."""
    task = json.loads(sys.argv[1])
    if task["do"] == "list":
        layers = [name for name, _ in pyogrio.list_layers(task["source"])]
        sys.stdout.write(json.dumps(layers))
        return
    _, table = pyogrio.read_arrow(
        task["source"],
        layer=task.get("layer"),
        bbox=task["bbox"] and tuple(task["bbox"]),
        where=task.get("where"),
        PAGE_SIZE=task["page_size"],
    )
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)


if __name__ == "__main__":
    main()
