"""A WMS of MapServer on this machine: its CGI program behind a small HTTP server."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.http_server import LocalServer, local_server, served

HABITATS = (
    ("Eelgrass <b>meadow</b> & more", "Zostera", 12.5, (10.0, 54.0, 12.0, 56.0)),
    ("Mussel bank", "Mytilus", 3.25, (12.0, 56.0, 14.0, 58.0)),
)
"""The polygons of the layer `habitats`: name, species, area and corners (west, south, east, north).
"""
STATIONS = (("Åland", "2020-01-01", (20.0, 60.0)), ("Gotland", "2021-01-01", (18.5, 57.5)))
"""The points of the layer `stations`: name, day and position."""


@dataclass
class MapServer(LocalServer):
    """A running WMS with the layers `habitats` (two styles) and `stations` (a time), which answer a
    click, and `outline`, which does not."""

    requests: list[str] = field(default_factory=list)
    """The query strings that it was sent."""

    @property
    def url(self) -> str:
        """The address of the WMS."""
        return f"{self.root}/wms"

    @property
    def map_url(self) -> str:
        """The same, with the query that a MapServer without a script in front of it needs."""
        return f"{self.root}/cgi-bin/mapserv?map=sea"


@contextmanager
def mapserver() -> Iterator[MapServer]:
    """Run MapServer until the block ends; the test is skipped where it is not installed."""
    program = shutil.which("mapserv") or shutil.which("mapserv", path="/usr/lib/cgi-bin")
    if program is None:
        pytest.skip("MapServer (cgi-mapserver) is not installed")
    with tempfile.TemporaryDirectory(prefix="samsyn-mapserver-") as name:
        folder = Path(name)
        server = local_server(_Handler)
        running = MapServer(server.server_port)
        _write_map(folder, running.url)
        server.program, server.folder, server.running = program, folder, running  # type: ignore[attr-defined]
        with served(server):
            yield running


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        query = self.path.partition("?")[2]
        self.server.running.requests.append(query)
        folder = self.server.folder
        variables = {
            "PATH": os.environ["PATH"],
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REQUEST_METHOD": "GET",
            "QUERY_STRING": query,
            "SCRIPT_NAME": "/wms",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "MAPSERVER_CONFIG_FILE": str(folder / "mapserver.conf"),
        }
        if "map=" not in query:
            variables["MS_MAPFILE"] = str(folder / "sea.map")
        output = subprocess.run(
            [self.server.program],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=30,
        ).stdout
        head, _, body = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")  # tiles are drawn by a page elsewhere
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def _write_map(folder: Path, url: str) -> None:
    habitats = [
        _feature({"name": name, "species": species, "area": area}, "Polygon", [_ring(*corners)])
        for name, species, area, corners in HABITATS
    ]
    stations = [
        _feature({"name": name, "day": day}, "Point", position) for name, day, position in STATIONS
    ]
    for name, features in (("habitats", habitats), ("stations", stations)):
        collection = {"type": "FeatureCollection", "features": features}
        (folder / f"{name}.geojson").write_text(json.dumps(collection, ensure_ascii=False))
    (folder / "sea.map").write_text(_MAP.replace("FOLDER", str(folder)).replace("URL", url))
    (folder / "mapserver.conf").write_text(
        f'CONFIG\n MAPS\n  sea "{folder}/sea.map"\n END\n'
        f' ENV\n  MS_MAP_PATTERN "^{folder}/"\n  MS_MAP_NO_PATH "TRUE"\n END\nEND\n'
    )
    (folder / "habitats.html").write_text(
        "<!-- MapServer Template -->\n<tr><td>[name]</td><td>[species]</td><td>[area]</td></tr>\n"
    )
    (folder / "header.html").write_text(
        "<!-- MapServer Template -->\n<table><tr><th>name</th><th>species</th><th>area</th></tr>\n"
    )
    (folder / "footer.html").write_text("<!-- MapServer Template -->\n</table>\n")
    (folder / "stations.html").write_text("<!-- MapServer Template -->\n<p>Station [name]</p>\n")


def _ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _feature(properties: dict[str, Any], kind: str, coordinates: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


_MAP = """
MAP
  NAME "sea"
  SIZE 256 256
  EXTENT 5 50 25 65
  IMAGETYPE "png"
  SHAPEPATH "FOLDER"
  PROJECTION "init=epsg:4326" END
  OUTPUTFORMAT
    NAME "png" DRIVER "AGG/PNG" MIMETYPE "image/png" IMAGEMODE RGBA EXTENSION "png" TRANSPARENT ON
  END
  WEB
    METADATA
      "wms_title" "Sea of <MapServer> & others"
      "wms_abstract" "Habitats, and where they were looked at"
      "wms_onlineresource" "URL"
      "wms_srs" "EPSG:4326 EPSG:3857 EPSG:3035"
      "wms_enable_request" "*"
      "wms_contactorganization" "Institute of the sea"
      "wms_contactperson" "Somebody"
      "wms_contactelectronicmailaddress" "sea@example.org"
      "wms_fees" "none"
      "wms_accessconstraints" "CC BY"
      "wms_feature_info_mime_type" "text/html"
      "wms_keywordlist" "sea,baltic"
    END
  END
  LAYER
    NAME "habitats"
    TYPE POLYGON
    STATUS ON
    CONNECTIONTYPE OGR
    CONNECTION "FOLDER/habitats.geojson"
    TEMPLATE "FOLDER/habitats.html"
    HEADER "FOLDER/header.html"
    FOOTER "FOLDER/footer.html"
    PROJECTION "init=epsg:4326" END
    CLASSGROUP "filled"
    METADATA
      "wms_title" "Habitats of the sea"
      "wms_abstract" "What grows where"
      "wms_group_title" "Nature"
      "wms_layer_group" "/nature"
      "wms_keywordlist" "habitat,species"
      "gml_include_items" "all"
      "wms_include_items" "all"
      "wms_extent" "10 54 14 58"
    END
    CLASS
      GROUP "filled" NAME "Habitat"
      STYLE COLOR 0 160 120 OUTLINECOLOR 0 60 40 END
    END
    CLASS
      GROUP "hollow" NAME "Habitat"
      STYLE OUTLINECOLOR 0 60 40 WIDTH 2 END
    END
  END
  LAYER
    NAME "stations"
    TYPE POINT
    STATUS ON
    CONNECTIONTYPE OGR
    CONNECTION "FOLDER/stations.geojson"
    TEMPLATE "FOLDER/stations.html"
    TOLERANCE 10
    PROJECTION "init=epsg:4326" END
    METADATA
      "wms_title" "Stations"
      "wms_timeextent" "2020-01-01,2021-01-01"
      "wms_timeitem" "day"
      "wms_timedefault" "2021-01-01"
      "gml_include_items" "all"
      "wms_include_items" "all"
      "wms_extent" "18 57 21 61"
    END
    CLASS
      STYLE COLOR 200 40 40 SIZE 8 SYMBOL "circle" END
    END
  END
  LAYER
    NAME "outline"
    TYPE LINE
    STATUS ON
    CONNECTIONTYPE OGR
    CONNECTION "FOLDER/habitats.geojson"
    PROJECTION "init=epsg:4326" END
    METADATA
      "wms_title" "Outline"
      "wms_extent" "10 54 14 58"
    END
    MINSCALEDENOM 1000
    MAXSCALEDENOM 5000000
    CLASS
      STYLE COLOR 0 0 0 END
    END
  END
  SYMBOL NAME "circle" TYPE ELLIPSE FILLED TRUE POINTS 1 1 END END
END
"""
