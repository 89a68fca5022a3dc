"""Verification: everything that was sealed against what there is, in bounded memory."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import Engine

from samsyn_model.audit.findings import Finding, Tally
from samsyn_model.audit.links import verify_completeness, verify_links
from samsyn_model.audit.states import next_layer, verify_states
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, snapshot

_LEAST = "SELECT min(change_set_id) FROM change_seals WHERE position > %(after)s"
_TIMEOUT = 24 * 60 * 60  # seconds, of a statement that sorts the states of a layer


def verify(engine: Engine, tally: Tally, *, after: int = 0) -> Iterator[Finding]:
    """Yield what is not as it was when it was sealed, and count in the tally what was verified.

    With `after`, a position in the chain, what was sealed up to there is left out. What is
    committed meanwhile is not part of it.
    """
    tally.tell("the chain")
    with reading(engine) as connection:
        yield from verify_links(connection, tally, after)
        least = run(connection, _LEAST, {"after": after}).scalar() if after else 0
        if least is None:
            return
        yield from verify_completeness(connection, least, after)
    for layer_id in _layers(engine):
        tally.tell(f"layer {layer_id}")
        with snapshot(engine, _TIMEOUT) as connection:
            yield from verify_states(connection, layer_id, tally, least)


def _layers(engine: Engine) -> Iterator[UUID]:
    layer_id: UUID | None = None
    while True:
        with reading(engine) as connection:
            layer_id = next_layer(connection, layer_id)
        if layer_id is None:
            return
        yield layer_id
