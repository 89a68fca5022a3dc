"""The metadata of all tables together, for migrations and loops over every table."""

# imported for their tables, which register themselves
from samsyn_model.tables import comments, jobs, layers, maps, tile_cache, users  # noqa: F401
from samsyn_model.tables.base import Base

metadata = Base.metadata
