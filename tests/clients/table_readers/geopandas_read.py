"""Reads the layer of the argument with GeoPandas and prints its rows as JSON.

It runs under the Python of scripts/install-clients.
"""

import io
import json
import sys
import urllib.request

import geopandas
import pyogrio


def main():
    """Read the layer by its format, over HTTP."""
    task = json.loads(sys.argv[1])
    if task.get("token"):
        pyogrio.set_gdal_config_options(
            {"GDAL_HTTP_AUTH": "BEARER", "GDAL_HTTP_BEARER": task["token"]}
        )
    if task["format"] == "parquet":
        with urllib.request.urlopen(task["address"]) as response:
            frame = geopandas.read_parquet(io.BytesIO(response.read()))
    else:
        frame = geopandas.read_file(task["address"], **task.get("options", {}))
    rows = [
        {
            "number": int(row.number),
            "name": row.name_,
            "since": str(row.designated)[:10],
            "wkb": row.geometry.wkb_hex if row.geometry is not None else None,
        }
        for row in frame.rename(columns={"name": "name_"}).itertuples()
    ]
    sys.stdout.write(json.dumps({"crs": frame.crs.to_string(), "rows": rows}))


main()
