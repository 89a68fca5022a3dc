"""Cached tiles."""

from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base


class CachedTile(Base):
    """A tile that took long to make, in the slot of its tag: `samsyn_provider.cache.tile_cache`."""

    __tablename__ = "tile_cache"

    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tag: Mapped[str]
    content: Mapped[bytes]
