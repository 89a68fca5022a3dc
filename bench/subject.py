"""SamSyn itself: its database, its server, and its statements as PostgreSQL receives them."""

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import psycopg
from sqlalchemy import URL, Engine
from werkzeug.datastructures import MultiDict

from bench.databases import written
from bench.peers import WORKERS
from bench.processes import Launch, run_program
from samsyn_admin.app import create_app
from samsyn_model.database.engine import open_engine
from samsyn_model.database.execution import run
from samsyn_model.database.statement import Statement
from samsyn_model.database.transactions import reading, writing
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.principal import ANONYMOUS
from samsyn_model.settings import CHECKOUT, MAX_PER_MINUTE, Settings
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.description import with_fields
from samsyn_provider.collections.lookup import find_collection
from samsyn_provider.features.page_statements import (
    select_box_page,
    select_page,
    select_streamed_page,
)
from samsyn_provider.features.provider import MAX_BUFFERED_LIMIT
from samsyn_provider.features.statements import select_feature
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.query.items_query import Capabilities, parse_items_query
from samsyn_provider.rates.rate_limits import Rate
from samsyn_provider.tiles.matrix_sets import WEB_MERCATOR_QUAD, Tile
from samsyn_provider.tiles.sources import tile_sources
from samsyn_provider.tiles.statements import select_small_tile

OWNER = "bench@example.org"
SAMSYN = Path(sys.executable).with_name("samsyn")


def run_samsyn(database: URL, *arguments: str | Path) -> str:
    """Run a samsyn command and return what it printed. Raises ProgramError."""
    return run_program([SAMSYN, *arguments], {"DATABASE_URL": written(database)}).strip()


def import_layer(database: URL, file: Path, *options: str) -> str:
    """Import a file as a public layer and return the layer's id."""
    return run_samsyn(database, "import", file, "--owner", OWNER, "--public", *options)


def launch(database: URL, port: int) -> Launch:
    """Return the launch of SamSyn's server on a database."""
    environment = {
        "DATABASE_URL": written(database),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": str(WORKERS),
        # the load comes from one address; counting it is part of what is measured
        **{rate.value.upper(): str(MAX_PER_MINUTE) for rate in Rate},
    }
    return Launch([str(SAMSYN), "serve"], environment, CHECKOUT, "/api/health")


@dataclass
class Subject:
    """A layer in a database of SamSyn."""

    database: URL
    layer_id: str

    @cached_property
    def engine(self) -> Engine:
        """An engine on the database; `close` disposes of it."""
        return open_engine(written(self.database))

    @cached_property
    def collection(self) -> Collection:
        """The collection as read by an anonymous request, with its fields."""
        with reading(self.engine) as connection:
            collection = find_collection(connection, ANONYMOUS, self.layer_id, Action.READ_LAYER)
            return with_fields(connection, collection)

    @property
    def items(self) -> str:
        """The path of the layer's items."""
        return f"/ogc/collections/{self.layer_id}/items"

    @property
    def tile(self) -> str:
        """The path of a tile, with `{z}`, `{x}` and `{y}`."""
        return f"/ogc/collections/{self.layer_id}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}"

    @cached_property
    def ids(self) -> range:
        """The features' ids, which are consecutive."""
        with reading(self.engine) as connection:
            row = run(
                connection,
                "SELECT min(id) AS first, max(id) AS last, count(*) AS number"
                " FROM layer_features WHERE layer_id = %(layer)s",
                {"layer": self.layer_id},
            ).one()
        if row.last - row.first + 1 != row.number:
            raise RuntimeError("the layer's ids are not consecutive")
        return range(row.first, row.last + 1)

    def touch(self) -> None:
        """Change a feature: cached responses of the layer become stale."""
        with writing(self.engine) as connection:
            run(
                connection,
                "UPDATE layer_features"
                " SET properties = properties || jsonb_build_object('touched', version)"
                " WHERE layer_id = %(layer)s AND id = %(id)s",
                {"layer": self.layer_id, "id": self.ids[0]},
            )

    def page_sql(self, path: str) -> str:
        """Return the statement that SamSyn runs for a page of items."""
        collection = self.collection
        arguments = MultiDict(parse_qsl(urlsplit(path).query))
        query = parse_items_query(arguments, Capabilities(collection.fields, collection.crs))
        select = select_page if query.limit <= MAX_BUFFERED_LIMIT else select_streamed_page
        box_page = (
            select_box_page(collection.id, query, names=collection.names)
            if query.limit <= MAX_BUFFERED_LIMIT
            else None
        )
        return self._with_values(
            box_page
            or select(
                collection.id,
                query,
                collection.times,
                names=collection.names,
                indexed=collection.indexed,
            )
        )

    def item_sql(self, feature_id: int) -> str:
        """Return the statement for one item."""
        crs = reference_system(CRS84, "crs")
        return self._with_values(
            select_feature(self.collection.id, feature_id, crs, self.collection.names)
        )

    def tile_sql(self, level: int, column: int, row: int) -> str:
        """Return the statement for a tile of Web Mercator."""
        tile = Tile(WEB_MERCATOR_QUAD, level, row, column)
        with reading(self.engine) as connection:
            sources = tile_sources(connection, [self.collection], MultiDict(), is_map=False)
        return self._with_values(select_small_tile(sources, tile))

    def _with_values(self, statement: Statement) -> str:
        with reading(self.engine) as connection:
            driver = cast(psycopg.Connection, connection.connection.driver_connection)
            return psycopg.ClientCursor(driver).mogrify(statement.text, statement.values)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def statements_of(database: URL, path: str) -> list[str]:
    """Return every statement that SamSyn runs for an anonymous GET, with its values."""
    engine = open_engine(written(database))  # without a limit all are run by cursors
    executed: list[str] = []
    send = psycopg.Cursor.execute

    def record(
        cursor: psycopg.Cursor[Any], statement: Any, values: Any = None, **options: Any
    ) -> Any:
        executed.append(psycopg.ClientCursor(cursor.connection).mogrify(statement, values))
        return send(cursor, statement, values, **options)

    try:
        client = create_app(Settings(database_url=written(database)), engine).test_client()
        client.get(path)  # fills caches
        with patch.object(psycopg.Cursor, "execute", record):
            response = client.get(path)
        if response.status_code != 200:
            raise RuntimeError(f"{path} returned status {response.status_code}")
        return executed
    finally:
        engine.dispose()
