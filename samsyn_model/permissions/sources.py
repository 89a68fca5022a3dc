"""Addresses of other servers that a principal knows: of the list of web map servers, and of the
layers that it may read."""

from functools import cache
from hashlib import md5

from sqlalchemy import Connection, Text, any_, func, literal_column, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.expression import bindparam

from samsyn_model.permissions.compiled import CompiledStatement, compile_statement
from samsyn_model.permissions.layers import readable_layers
from samsyn_model.permissions.principal import Principal, principal_kind
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.rasters import WMSServer


def knows_wms(connection: Connection, principal: Principal, *addresses: str) -> bool:
    """Return whether one of the addresses is that of a stored web map server, or of a WMS layer
    that the principal may read; in one statement."""
    hashes = [md5(address.encode(), usedforsecurity=False).hexdigest() for address in addresses]
    statement = _statement(principal_kind(principal))
    return bool(statement.run(connection, principal, hashes=hashes).one().is_known)


@cache
def _statement(kind: Principal) -> CompiledStatement:
    hashes = bindparam("hashes", type_=ARRAY(Text))
    server = select(WMSServer.id).where(func.md5(WMSServer.base_url) == any_(hashes))
    held = type_coerce(func.source_addresses(Layer.source_config), ARRAY(Text))
    layer = select(Layer.id).where(
        Layer.source_type == "wms",
        Layer.source_type != literal_column("'vector'"),  # what the index is of
        held.overlap(hashes),
        readable_layers(kind),
    )
    known = or_(server.exists(), layer.exists())
    return compile_statement(select(known.label("is_known")))
