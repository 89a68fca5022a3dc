"""Rows of layers that are drawn from rasters: made, and given other rasters."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.stored_text import json_text

_INSERT = """
INSERT INTO layers (id, name, source_type, created_by, is_global, visibility, source_config,
    legend_config)
VALUES (%(id)s, %(name)s, 'geotiff', %(created_by)s, %(is_global)s, %(visibility)s,
    %(source)s::jsonb, %(legend)s::jsonb)"""

_KEEP = """
UPDATE import_layers SET rasters = (
    SELECT jsonb_build_object(
        'source_config', layers.source_config, 'legend_config', layers.legend_config,
        'files', (SELECT jsonb_agg(to_jsonb(raster_files)) FROM raster_files
                  WHERE raster_files.layer_id = layers.id))
    FROM layers WHERE layers.id = %(id)s)
WHERE import_id = %(import)s AND layer_id = %(id)s"""

_REPLACE = """
UPDATE layers SET source_config = %(source)s::jsonb, legend_config = %(legend)s::jsonb
WHERE id = %(id)s"""

_REMOVE_FILES = "DELETE FROM raster_files WHERE layer_id = %(id)s"

_ADD_FILE = """
INSERT INTO raster_files (layer_id, time, name, key, original_key, size, info)
VALUES (%(layer)s, %(time)s, %(name)s, %(key)s, %(original_key)s, %(size)s, %(info)s::jsonb)"""


@dataclass(frozen=True, slots=True)
class ConvertedFile:
    """A raster in the storage, as a row of `raster_files` has it."""

    time: datetime | None
    name: str
    key: str
    original_key: str
    size: int
    info: dict[str, Any]


def insert_layer(  # noqa: PLR0913 - what a layer has
    connection: Connection,
    name: str,
    owner: uuid.UUID,
    *,
    is_global: bool,
    visibility: str,
    source_config: dict[str, Any],
    legend: dict[str, Any],
) -> uuid.UUID:
    """Create a layer without files, and return its id."""
    layer_id = uuid.uuid4()
    values = {
        "id": layer_id,
        "name": name,
        "created_by": owner,
        "is_global": is_global,
        "visibility": visibility,
        "source": json_text(source_config),
        "legend": json.dumps(legend),
    }
    run(connection, _INSERT, values)
    return layer_id


def replace_rasters(
    connection: Connection,
    import_id: uuid.UUID,
    layer_id: uuid.UUID,
    source_config: dict[str, Any],
    legend: dict[str, Any],
) -> None:
    """Take a layer's files away, and keep what would be needed to undo that."""
    run(connection, _KEEP, {"import": import_id, "id": layer_id})
    run(connection, _REMOVE_FILES, {"id": layer_id})
    values = {"source": json_text(source_config), "legend": json.dumps(legend)}
    run(connection, _REPLACE, {"id": layer_id, **values})


def add_files(connection: Connection, layer_id: uuid.UUID, files: Sequence[ConvertedFile]) -> None:
    """Have a layer drawn from these files."""
    for file in files:
        values = {
            "layer": layer_id,
            "time": file.time,
            "name": file.name[:255],
            "key": file.key,
            "original_key": file.original_key,
            "size": file.size,
            "info": json_text(file.info),
        }
        run(connection, _ADD_FILE, values)
