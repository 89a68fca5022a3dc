"""Which coordinate reference systems PostGIS can transform to."""

from collections.abc import Collection

from sqlalchemy import Connection

from samsyn_model.database.execution import run

_UNKNOWN = """
SELECT code FROM unnest(%(codes)s::integer[]) AS code
WHERE NOT EXISTS (
    SELECT FROM spatial_ref_sys
    WHERE srid = code AND auth_name = 'EPSG' AND auth_srid = code AND srtext <> ''
)"""


def epsg_codes_unknown_to_postgis(connection: Connection, codes: Collection[int]) -> set[int]:
    """Return those EPSG codes that PostGIS has no definition of; no statement for no codes."""
    if not codes:
        return set()
    return set(run(connection, _UNKNOWN, {"codes": list(codes)}).scalars())
