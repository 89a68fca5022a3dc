"""The world of the permission matrix in a database, where all changes are rolled back."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import psycopg
from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, delete, insert
from sqlalchemy.engine import make_url
from sqlalchemy.pool import StaticPool

from samsyn_admin.app import create_app
from samsyn_model.database.engine import WAY_OPTION
from samsyn_model.database.pooling.way import Way
from samsyn_model.database.transactions import writing as writing_transaction
from samsyn_model.identity.api_tokens import hash_token
from samsyn_model.tables.comments import Comment as CommentRow
from samsyn_model.tables.jobs import Import, Job
from samsyn_model.tables.layers import Layer as LayerRow
from samsyn_model.tables.layers import LayerFeature
from samsyn_model.tables.live import Subscription
from samsyn_model.tables.maps import Map as MapRow
from samsyn_model.tables.maps import MapCollaborator, MapLayer
from samsyn_model.tables.metadata import metadata
from samsyn_model.tables.rasters import DeploymentKey, RasterFile, WMSServer
from samsyn_model.tables.users import ApiToken, BlockedUser, BrowserSession, User
from samsyn_provider.rates.rate_limits import Rate
from tests.clerk_instance import ISSUER, public_pem, settings
from tests.security.permission_rules import Caller, Comment, Layer, Map
from tests.security.permission_world import (
    ADMINISTRATOR,
    BLOCKS,
    BROWSERS,
    COMMENTS,
    DELETED,
    LAYERS,
    MAP_SERVER,
    MAPS,
    PLACEMENTS,
    PRINCIPALS,
    REPLIES,
    SHOWN_MAP,
    USERS,
    api_token_of,
    clerk_id_of,
    email_of,
    feature_of,
    headers_of,
    id_of,
    invited_email_of,
    number_of,
    position_of,
    session_id_of,
    word_of,
)


class _RolledBackConnection(psycopg.Connection[Any]):
    """A connection in one transaction that is never committed: a commit is a savepoint."""

    def start(self) -> None:
        self._run("SAVEPOINT committed")

    def _run(self, statement: str) -> None:
        self.execute(statement)

    def commit(self) -> None:
        self._run("RELEASE SAVEPOINT committed; SAVEPOINT committed")

    def rollback(self) -> None:
        self._run("ROLLBACK TO SAVEPOINT committed")


class World:
    """The app over a database that contains only this world."""

    def __init__(self, app: Flask, connection: _RolledBackConnection) -> None:
        self.app = app
        self.client = app.test_client(use_cookies=False)
        self.headers = {caller: headers_of(caller) for caller in (*PRINCIPALS, *BROWSERS)}
        self._connection = connection

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        """Roll back the changes of the block."""
        self._run("SAVEPOINT before; SAVEPOINT committed")
        try:
            yield
        finally:
            self._run("ROLLBACK TO SAVEPOINT before; RELEASE SAVEPOINT before")

    def fingerprint(self) -> str:
        """Return a value that changes with any row of any table."""
        return str(self._run(_FINGERPRINT))

    def _run(self, statement: str) -> Any:
        cursor = self._connection.execute(statement)
        return cursor.fetchone() if cursor.description else None


_FINGERPRINT = "SELECT md5(concat({}))".format(
    ", ".join(
        f"(SELECT string_agg(row::text, ' ' ORDER BY row::text) FROM {name} AS row)"
        for name in sorted(metadata.tables.keys() - {"deployment_keys"})  # made when first needed
    )
)


@contextmanager
def open_world(database_url: str) -> Iterator[World]:
    """Yield the world, in a transaction on an empty database that is rolled back."""
    address = make_url(database_url).set(drivername="postgresql")
    connection = _RolledBackConnection.connect(
        address.render_as_string(hide_password=False),
        options="-c timezone=UTC -c jit=off -c search_path=public",
        cursor_factory=psycopg.ClientCursor,
    )
    connection.start()
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connection,
        poolclass=StaticPool,
        execution_options={WAY_OPTION: Way({}, prepares=False)},
    )
    try:
        with engine.begin() as writing:
            writing.execute(delete(DeploymentKey))  # another test's
            writing.execute(insert(DeploymentKey), [{"purpose": "tickets", "key": bytes(32)}])
            populate(writing)
        # the world is one transaction: it cannot begin others, and sees one state in any case
        with ExitStack() as stack:
            for module in ("responses", "texts"):
                name = f"samsyn_provider.downloads.{module}.snapshot"
                stack.enter_context(patch(name, lambda engine, _: writing_transaction(engine)))
            folder = stack.enter_context(TemporaryDirectory())
            store_rasters(Path(folder))
            yield World(app_of(engine, Path(folder)), connection)
    finally:
        connection.close()


def app_of(engine: Engine, storage: Path) -> Flask:
    """Return the app as the world has it: no rates, no request that leaves it."""
    unlimited = {rate.value: 0 for rate in Rate}
    values = settings(
        clerk_jwt_key=public_pem(),
        clerk_issuer=ISSUER,
        trusted_proxies=0,
        storage_dir=storage,
        outgoing=False,
        smtp_host="mail.test",
        mail_from="samsyn@mail.test",
        titiler_url="off",
        **unlimited,
    )
    return create_app(values, engine)


def populate(connection: Connection) -> None:
    """Insert all that is in the world."""
    connection.execute(insert(User), [_user(name) for name in USERS])
    connection.execute(insert(ApiToken), [_token(caller) for caller in PRINCIPALS if caller.user])
    connection.execute(insert(BrowserSession), [_session(caller) for caller in BROWSERS])
    connection.execute(insert(BlockedUser), [_block(*block) for block in BLOCKS])
    connection.execute(insert(Job), [_job(name) for name in USERS])
    connection.execute(insert(MapRow), [_map(shared) for shared in MAPS])
    connection.execute(insert(MapCollaborator), list(_collaborators()))
    connection.execute(insert(LayerRow), [_layer(layer) for layer in LAYERS])
    rasters = [layer for layer in LAYERS if layer.source_type == "geotiff"]
    connection.execute(insert(RasterFile), [_raster_file(layer) for layer in rasters])
    features = [_feature(layer) for layer in LAYERS if layer.source_type == "vector"]
    connection.execute(insert(LayerFeature), features)
    connection.execute(insert(MapLayer), list(_placements()))
    connection.execute(insert(CommentRow), [_comment(comment) for comment in COMMENTS])
    connection.execute(insert(CommentRow), [_comment(comment) for comment in REPLIES])
    after = len(COMMENTS) + len(REPLIES)
    connection.exec_driver_sql(f"SELECT setval('comments_number_seq', {after})")
    connection.execute(insert(Subscription), [_subscription(name) for name in USERS])
    connection.execute(insert(WMSServer), _map_server())
    connection.execute(insert(Import), [_import(user) for user in USERS])


def _import(user: str) -> dict[str, Any]:
    return {"id": id_of(f"import of {user}"), "user_id": id_of(user), "name": "points.csv"}


def _subscription(user: str) -> dict[str, Any]:
    """Return one to a webhook, beside which the same is followed by mail."""
    return {
        "id": id_of(f"subscription of {user}"),
        "user_id": id_of(user),
        "map_id": id_of(SHOWN_MAP),
        "subject_id": id_of(SHOWN_MAP),
        "frequency": "daily",
        "webhook_url": f"https://hooks.test/{word_of(f'subscription of {user}')}",
        "webhook_secret": bytes(32),
        "position": 0,
    }


def _map_server() -> dict[str, Any]:
    layers = [{"name": "depth", "title": "Depth"}]
    return {
        "id": id_of(MAP_SERVER),
        "name": "Charts",
        "base_url": f"https://wms.test/{word_of(MAP_SERVER)}",
        "version": "1.3.0",
        "layer_count": 1,
        "capabilities": {"layers": layers, "layers_left_out": 0},
        "cached_at": _now(),
        "created_by": id_of(ADMINISTRATOR),
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _user(name: str) -> dict[str, Any]:
    is_deleted = name == DELETED
    return {
        "id": id_of(name),
        "clerk_id": clerk_id_of(name),
        "email": None if is_deleted else email_of(name),
        "username": None if is_deleted else name,
        "is_admin": name == ADMINISTRATOR,
        "deleted_at": _now() if is_deleted else None,
    }


def _job(owner: str) -> dict[str, Any]:
    """Return a job that is over: its removal is seen in the table."""
    return {
        "id": id_of(f"job of {owner}"),
        "user_id": id_of(owner),
        "kind": "import",
        "status": "successful",
        "result": {"layers": [], "fault_count": 0},
        "finished_at": datetime.now(UTC),
    }


def _token(caller: Caller) -> dict[str, Any]:
    return {
        "id": id_of(f"token of {caller.name}"),
        "user_id": id_of(str(caller.user)),
        "name": word_of(f"token of {caller.name}"),
        "token_hash": hash_token(api_token_of(caller)),
        "prefix": api_token_of(caller)[:12],
        "scope": caller.scope,
        "expires_at": _now() - timedelta(hours=1) if caller.name == "expired token" else None,
        "revoked_at": _now() if caller.name == "revoked token" else None,
        "last_used_at": _now(),
    }


def _session(caller: Caller) -> dict[str, Any]:
    has_expired = caller.name == "browser of an expired session"
    return {
        "session_hash": hash_token(session_id_of(caller)),
        "user_id": id_of(str(caller.user)),
        "token_id": caller.signed_in_by and id_of(f"token of {caller.signed_in_by}"),
        "expires_at": _now() + timedelta(hours=-1 if has_expired else 1),
    }


def _block(user: str, blocked: str) -> dict[str, Any]:
    return {"user_id": id_of(user), "blocked_user_id": id_of(blocked)}


def _map(shared: Map) -> dict[str, Any]:
    word = word_of(shared)
    return {
        "id": id_of(shared),
        "name": f"{word} map",
        "description": f"about {word}",
        "map_metadata": {word: word},
        "created_by": id_of(shared.owner),
        "view_permission": shared.view,
        "edit_permission": shared.edit,
    }


def _collaborators() -> Iterator[dict[str, Any]]:
    for shared in MAPS:
        for user, role in shared.collaborators.items():
            yield {
                "map_id": id_of(shared),
                "user_id": id_of(user),
                "role": role,
                "invited_email": invited_email_of(user),
            }


def _layer(layer: Layer) -> dict[str, Any]:
    word = word_of(layer)
    configs: dict[str, dict[str, Any]] = {
        "vector": {},
        "wms": {"url": f"https://wms.test/{word}", "layers": word},
        "geotiff": {"bounds": [0, 0, 1, 1], "processing": {"colormap": word}},
    }
    return {
        "id": id_of(layer),
        "name": f"{word} layer",
        "description": f"about {word}",
        "category": word,
        "source_type": layer.source_type,
        "created_by": id_of(layer.creator),
        "editable": layer.editable,
        "is_global": layer.is_global,
        "visibility": layer.visibility,
        "creation_source": "layer_creator",
        "source_config": configs[layer.source_type],
        "layer_metadata": {"keywords": [word]},
    }


def _raster_file(layer: Layer) -> dict[str, Any]:
    key = f"rasters/{id_of(layer)}/0.tif"
    return {
        "layer_id": id_of(layer),
        "name": f"{word_of(layer)}.tif",
        "key": key,
        "original_key": key,
        "size": 4,
        "info": {},
    }


def store_rasters(storage: Path) -> None:
    for layer in LAYERS:
        if layer.source_type == "geotiff":
            path = storage / str(_raster_file(layer)["key"])
            path.parent.mkdir(parents=True)
            path.write_bytes(word_of(layer).encode())


def _feature(layer: Layer) -> dict[str, Any]:
    east, north = position_of(layer)
    return {
        "layer_id": id_of(layer),
        "id": feature_of(layer),
        "geom": f"SRID=4326;POINT({east} {north})",
        "properties": {word_of(layer): word_of(layer)},
    }


def _placements() -> Iterator[dict[str, Any]]:
    for shared in MAPS:
        placements = [placement for placement in PLACEMENTS if placement.map == shared]
        for order, placement in enumerate(placements):
            yield {
                "map_id": id_of(shared),
                "layer_id": id_of(placement.layer),
                "order": order,
                "style_override": {word_of(placement.layer): True},
            }


def _comment(comment: Comment) -> dict[str, Any]:
    return {
        "id": id_of(comment),
        "number": number_of(comment),
        "map_id": comment.map and id_of(comment.map),
        "layer_id": comment.layer and id_of(comment.layer),
        "parent_id": comment.parent and id_of(comment.parent),
        "author_id": id_of(comment.author),
        "content": word_of(comment),
    }
