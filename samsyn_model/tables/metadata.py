"""The metadata of all tables together, for migrations and loops over every table."""

# imported for their tables, which register themselves
from samsyn_model.tables import (  # noqa: F401
    comments,
    history,
    jobs,
    kept_responses,
    layers,
    live,
    maps,
    rasters,
    tile_cache,
    users,
)
from samsyn_model.tables.base import Base

metadata = Base.metadata
