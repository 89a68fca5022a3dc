"""GDAL as people have it: the wheel in Python, the distribution's commands, a newer release's."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyogrio

from tests.clients import plan_layers

READ_OAPIF = Path(__file__).with_name("read_oapif.py")
TIMEOUT = 90
NONE: Mapping[str, str] = {}


def run_gdal(command: Sequence[str | Path], configuration: Mapping[str, str]) -> bytes:
    """Run a program of GDAL and return what it printed; fail when it fails or reports an error."""
    done = subprocess.run(
        command,
        env={**os.environ, "CPL_DEBUG": "OFF", **configuration},
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    errors = done.stderr.decode()
    assert done.returncode == 0, errors
    assert "ERROR" not in errors, errors
    return done.stdout


def basic_credentials(token: str) -> dict[str, str]:
    """Return the options by which any GDAL signs its requests.

    GDAL_HTTP_AUTH makes it do so unasked: what is private is not found, never "sign in first".
    """
    return {"GDAL_HTTP_AUTH": "BASIC", "GDAL_HTTP_USERPWD": f"token:{token}"}


class Wheel:
    """The GDAL inside pyogrio's wheel."""

    def list_layers(self, url: str, configuration: Mapping[str, str] = NONE) -> list[str]:
        """Return the names of the layers at the address of a service."""
        task = {"do": "list", "source": f"OAPIF:{url}"}
        found: list[str] = json.loads(
            run_gdal([sys.executable, READ_OAPIF, json.dumps(task)], configuration)
        )
        return found

    def read(
        self,
        url: str,
        layer: str,
        *,
        page_size: int,
        bbox: Sequence[float] | None = None,
        where: str | None = None,
        configuration: Mapping[str, str] = NONE,
    ) -> list[plan_layers.Feature]:
        """Return a layer's features; `configuration` holds GDAL's options, as GDAL_HTTP_BEARER."""
        task = {
            "do": "read",
            "source": f"OAPIF:{url}",
            "layer": layer,
            "page_size": page_size,
            "bbox": bbox,
            "where": where,
        }
        stream = run_gdal([sys.executable, READ_OAPIF, json.dumps(task)], configuration)
        return plan_layers.read_table(pa.ipc.open_stream(stream).read_all())


class Commands:
    """`ogrinfo` and `ogr2ogr`, of this machine or of another system's root."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root

    def _prefix(self) -> list[str | Path]:
        return ["chroot", self._root] if self._root else []

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        folder = tempfile.mkdtemp(dir=self._root / "tmp" if self._root else None)
        try:
            yield Path(folder)
        finally:
            shutil.rmtree(folder)

    def list_layers(self, url: str, configuration: Mapping[str, str] = NONE) -> list[str]:
        """Return the names of the layers at the address of a service."""
        printed = run_gdal([*self._prefix(), "ogrinfo", "-ro", "-q", f"OAPIF:{url}"], configuration)
        return re.findall(r"^\d+: (\S+)", printed.decode(), re.MULTILINE)

    def read(
        self,
        url: str,
        layer: str,
        *,
        page_size: int,
        bbox: Sequence[float] | None = None,
        where: str | None = None,
        configuration: Mapping[str, str] = NONE,
    ) -> list[plan_layers.Feature]:
        """Return a layer's features, by way of a GeoPackage."""
        options: list[str] = ["-oo", f"PAGE_SIZE={page_size}"]
        if bbox:
            options += ["-spat", *map(str, bbox)]
        if where:
            options += ["-where", where]
        with self._folder() as folder:
            file = folder / "copy.gpkg"
            inside = Path("/", file.relative_to(self._root)) if self._root else file
            command = [*self._prefix(), "ogr2ogr", "-f", "GPKG", inside, f"OAPIF:{url}", layer]
            run_gdal([*command, *options], configuration)
            return plan_layers.read_table(pyogrio.read_arrow(file)[1])
